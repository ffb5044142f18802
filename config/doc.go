// Package config reads, checks and types the configuration files of nved and tesd.
//
// A file goes through three steps, and the errors of all three come at once (a *Problem each, joined):
//
//   - tree.go holds the YAML against the raw structs of raw.go, which mirror the file: an unknown key, a key given twice or a list
//     where a value belongs is reported and left out;
//   - load.go lets viper fill the raw structs from what is left: every value is still the text that the file has;
//   - nved.go and tesd.go, with a file for each kind of entry, turn the texts into the typed values of nve.go and tes.go, by the kinds of
//     values (kind.go and those after it) with the bounds and defaults of settings.go,
//     and check what must hold between keys.
//
// The result does not change afterwards. Nothing here touches the machine but LoadNVE, ReadNVE and LoadTES (which also read password files)
// and (*NVE).CheckHost.
//
// The folder reference documents every key of both files.
package config
