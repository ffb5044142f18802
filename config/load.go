// Package config reads, checks and types the daemons' configuration.
package config

import "errors"

// LoadNVE reads nved's configuration file. The error joins all problems, each with key, value and what would be right.
func LoadNVE(path string) (*NVE, error) { return nil, errors.New("unwritten") }

// LoadTES reads tesd's configuration file.
func LoadTES(path string) (*TES, error) { return nil, errors.New("unwritten") }
