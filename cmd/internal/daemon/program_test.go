package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/config"
)

// example is a daemon whose configuration is the name of the file.
func example() Program[string] {
	return Program[string]{
		Name: "exampled",
		Load: func(file string) (string, error) {
			if file == "wrong.yaml" {
				return "", errors.Join(errors.New("wrong.yaml: as: missing"), errors.New("wrong.yaml: vns: missing"))
			}
			if file == "both.yaml" {
				return file, errors.New("both.yaml: as: missing")
			}
			return file, nil
		},
		CheckHost: func(file string) error {
			if file == "elsewhere.yaml" || file == "both.yaml" {
				return errors.New("eth1: no such device")
			}
			return nil
		},
		Log: func(string) config.Log { return config.Log{Level: "info", JSON: true} },
		Build: func(file string, _ *logrus.Entry) ([]Part, func(), error) {
			switch file {
			case "taken.yaml":
				return nil, nil, errors.New("another daemon is running")
			case "breaks.yaml":
				return []Part{{"part", func(context.Context) error { return errors.New("boom") }}}, func() {}, nil
			}
			return []Part{{"part", until}}, func() {}, nil
		},
	}
}

func TestProgram(t *testing.T) {
	for name, c := range map[string]struct {
		args   string
		status int
		out    string
		errs   string
	}{
		"a check that finds nothing":          {"--config good.yaml --check", ExitStopped, "good.yaml: fine", ""},
		"a check that finds it all":           {"--config wrong.yaml --check", ExitConfig, "", "wrong.yaml: as: missing\nwrong.yaml: vns: missing"},
		"a check on the wrong machine":        {"--config elsewhere.yaml --check", ExitConfig, "", "no such device"},
		"a check of both":                     {"--config both.yaml --check", ExitConfig, "", "exampled: both.yaml: as: missing\neth1: no such device\n"},
		"both wrong":                          {"--config both.yaml", ExitConfig, "", "exampled: both.yaml: as: missing\neth1: no such device\n"},
		"a wrong configuration":               {"--config wrong.yaml", ExitConfig, "", "as: missing"},
		"the wrong machine":                   {"--config elsewhere.yaml", ExitConfig, "", "no such device"},
		"an unknown flag":                     {"--conf good.yaml", ExitConfig, "", "unknown flag: --conf"},
		"an argument too many":                {"good.yaml", ExitConfig, "", "want --config FILE"},
		"a part that cannot be built":         {"--config taken.yaml", ExitFailed, "", "another daemon is running"},
		"a part that fails":                   {"--config breaks.yaml", ExitFailed, "", "part: boom"},
		"stopped":                             {"--config good.yaml", ExitStopped, "", `"msg":"stopped"`},
		"the version":                         {"--version", ExitStopped, "exampled version", ""},
		"the help says what the statuses are": {"--help", ExitStopped, "2 the command line or the configuration is wrong", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the signal is there already
			if c.status == ExitFailed {
				ctx = t.Context()
			}
			var out, errs bytes.Buffer
			status := example().Execute(ctx, strings.Fields(c.args), &out, &errs)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("standard output %q, want it to contain %q", out.String(), c.out)
			}
			if !strings.Contains(errs.String(), c.errs) {
				t.Errorf("standard error %q, want it to contain %q", errs.String(), c.errs)
			}
		})
	}
}

func TestLog(t *testing.T) {
	var w bytes.Buffer
	l := NewLog(&w, config.Log{Level: "warn", JSON: true})
	l.Info("unheard")
	l.WithField("vni", 10100).Warn("heard")
	var line map[string]any
	if err := json.Unmarshal(w.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v, want one line of JSON", w.String(), err)
	}
	if line["msg"] != "heard" || line["vni"] != 10100.0 || line["level"] != "warning" {
		t.Errorf("logged %v", line)
	}
}
