package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/viper"
)

// A file fills its raw struct as mapstructure does it by itself.
func TestFilledAsWithoutTheHook(t *testing.T) {
	texts := map[string]string{"empty": "vns: []\nexpress: {}\nports: [{}, {port: eth1}]\n"}
	references, err := filepath.Glob("reference/*.yaml")
	if err != nil || len(references) == 0 {
		t.Fatalf("no references: %v", err)
	}
	for _, file := range references {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for name, text := range texts {
		for _, raw := range []any{&rawNVE{}, &rawTES{}, &rawPolicies{}} {
			want := reflect.New(reflect.TypeOf(raw).Elem()).Interface()
			read := func(into any, options ...viper.DecoderConfigOption) {
				t.Helper()
				v := viper.NewWithOptions(viper.KeyDelimiter("\x00"), viper.WithDecoderRegistry(decoder{&checker{}, reflect.TypeOf(raw).Elem()}))
				v.SetConfigType("yaml")
				if err := v.ReadConfig(bytes.NewReader([]byte(text))); err != nil {
					t.Fatal(err)
				}
				if err := v.Unmarshal(into, options...); err != nil {
					t.Fatal(err)
				}
			}
			read(want)
			read(raw, viper.DecodeHook(filled))
			if diff := cmp.Diff(want, raw, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Errorf("%s as %T (-without +with):\n%s", name, raw, diff)
			}
		}
	}
}
