package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/spf13/viper"
)

// LoadNVE reads nved's configuration file. The error joins all problems, each with key, value and what would be right. Beside an error stands what
// could be read, nil if nothing could: it is good for [NVE.CheckHost] only.
func LoadNVE(path string) (*NVE, error) {
	_, n, err := ReadNVE(path)
	return n, err
}

// LoadTES reads tesd's configuration file. The error joins all problems, each with key, value and what would be right. Beside an error the
// configuration is of no use.
func LoadTES(path string) (*TES, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	return ParseTES(path, file)
}

// ParseNVE is LoadNVE of what r gives; name stands for the file in errors.
func ParseNVE(name string, r io.Reader) (*NVE, error) {
	return parse(name, r, files{readSecret, readPolicies}, (*checker).nve)
}

// ParseTES is LoadTES of what r gives; name stands for the file in errors.
func ParseTES(name string, r io.Reader) (*TES, error) {
	return parse(name, r, files{secret: readSecret}, (*checker).tes)
}

// files is where the contents of files come from that a configuration names.
type files struct {
	secret   func(path string, private bool) (string, error) // password and key files
	policies func(path string) ([]byte, error)
}

// parse reads a file that the raw struct R mirrors, and checks it into a C, as far as it can be read.
func parse[R, C any](name string, r io.Reader, f files, check func(*checker, *R) C) (none C, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return none, fmt.Errorf("read configuration: %w", err)
	}
	c := &checker{file: name, files: f}
	raw := new(R)
	if err := c.read(text, raw); err != nil {
		return none, err
	}
	checked := check(c, raw)
	return checked, c.err(keysOf(reflect.TypeFor[R]()))
}

// read takes the checker's file into the raw struct that mirrors it. What does not fit is reported.
func (c *checker) read(text []byte, raw any) error {
	// No key of ours holds a NUL, so that viper never takes a dot in a key for a path.
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"), viper.WithDecoderRegistry(decoder{c, reflect.TypeOf(raw).Elem()}))
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	if err := v.Unmarshal(raw, viper.DecodeHook(filled)); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	return nil
}

// decoder is viper's view of our YAML: all scalars are texts, and only what fits the raw struct is there. Problems go to the checker.
type decoder struct {
	c   *checker
	raw reflect.Type
}

// Decoder implements viper.DecoderRegistry.
func (d decoder) Decoder(string) (viper.Decoder, error) { return d, nil }

// Decode implements viper.Decoder.
func (d decoder) Decode(text []byte, into map[string]any) error {
	for key, value := range d.c.tree(text, d.raw) {
		into[key] = value
	}
	return nil
}
