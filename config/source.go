package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// NVESource is all that nved's configuration was read from. It goes to the processes of nved with encoding/json, so that they have the same
// configuration whatever became of the files. It holds passwords and keys.
type NVESource struct {
	Name    string            // of the file, in errors
	Text    []byte            // of the file
	Secrets map[string][]byte // what each password file holds, by its path
	Keys    map[string][]byte // what each key file and each hook's secret file holds, by its path

	Policies map[string][]byte // what the file of policies holds, by its path
	Keyless  bool              // keys and policies are withheld: the VNs have none
}

// ReadNVE reads nved's configuration file and the other files that it names. The NVE and the error are those of LoadNVE; beside an error the source
// is nil.
func ReadNVE(path string) (*NVESource, *NVE, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	s := &NVESource{Name: path, Text: text, Secrets: make(map[string][]byte), Keys: make(map[string][]byte), Policies: make(map[string][]byte)}
	n, err := parse(path, bytes.NewReader(text), files{s.read, s.readPolicies}, (*checker).nve)
	if err != nil {
		return nil, n, err
	}
	return s, n, nil
}

// NVE is the configuration, checked as LoadNVE does. No file is read.
func (s *NVESource) NVE() (*NVE, error) {
	return parse(s.Name, bytes.NewReader(s.Text), files{s.kept, s.keptPolicies}, (*checker).nve)
}

// WithoutKeys is the source for a process that has no use for keys of credentials, secrets of hooks and policies: it has everything else.
func (s *NVESource) WithoutKeys() *NVESource {
	return &NVESource{Name: s.Name, Text: s.Text, Secrets: s.Secrets, Keyless: true}
}

// of is where the contents of password or key files are.
func (s *NVESource) of(private bool) map[string][]byte {
	if private {
		return s.Keys
	}
	return s.Secrets
}

// read reads a password or key file and keeps what it holds.
func (s *NVESource) read(path string, private bool) (string, error) {
	secret, err := readSecret(path, private)
	if err == nil {
		s.of(private)[path] = []byte(secret)
	}
	return secret, err
}

// errWithheld is the answer to who asks a source without keys for one.
var errWithheld = errors.New("withheld from this process")

// kept is what a password or key file held.
func (s *NVESource) kept(path string, private bool) (string, error) {
	secret, ok := s.of(private)[path]
	switch {
	case private && s.Keyless:
		return "", errWithheld
	case !ok:
		return "", errors.New("not among what was read with the configuration")
	}
	return string(secret), nil
}

// readPolicies reads the file of policies and keeps what it holds.
func (s *NVESource) readPolicies(path string) ([]byte, error) {
	text, err := readPolicies(path)
	if err == nil {
		s.Policies[path] = text
	}
	return text, err
}

// keptPolicies is what the file of policies held.
func (s *NVESource) keptPolicies(path string) ([]byte, error) {
	text, ok := s.Policies[path]
	switch {
	case s.Keyless:
		return nil, errWithheld
	case !ok:
		return nil, errors.New("not among what was read with the configuration")
	}
	return text, nil
}
