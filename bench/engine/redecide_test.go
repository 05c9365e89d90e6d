package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/reports/results"
)

// What is decided anew from kept maps is what a run under that protocol measures with the network.
func TestRedecideIsARun(t *testing.T) {
	const one = "[{name: voc21, root: <demo>, limit: 4}]"
	base := demo(t)
	base.Save.Maps = true
	const whole = "base: clip-surgery, size: 64, queries: sclip, scale: 40"
	keep := suite(t, base, one, "{"+whole+", threshold: 0.02}")
	if _, err := measure(t, t.Context(), keep, quiet{}); err != nil {
		t.Fatal(err)
	}
	changes := map[string]struct {
		change func(p *configs.Protocol)
		keys   string
	}{
		"own":       {func(*configs.Protocol) {}, "threshold: 0.02"},
		"threshold": {func(p *configs.Protocol) { p.Threshold = 0.1 }, "threshold: 0.1"},
		"mean":      {func(p *configs.Protocol) { p.Aliases = "mean" }, "threshold: 0.02, aliases: mean"},
		"margin":    {func(p *configs.Protocol) { p.BackgroundRule = "margin" }, "threshold: 0.02, background_rule: margin"},
		"oracle":    {func(p *configs.Protocol) { p.Vocabulary = "oracle" }, "threshold: 0.02, vocabulary: oracle"},
	}
	sets, err := Redecide(t.Context(), Redecision{Dir: keep.Out, Resamples: 0,
		Variants: func(_ *results.Dataset, p configs.Protocol) (out []Variant) {
			for name, c := range changes {
				q := p
				c.change(&q)
				out = append(out, Variant{name, q})
			}
			return out
		}}, quiet{})
	if err != nil || len(sets) != 1 || !sets[0].Whole || sets[0].Missing != 0 {
		t.Fatalf("%+v, %v", sets, err)
	}
	seen := map[float64]bool{}
	for name, c := range changes {
		run, err := measure(t, t.Context(), suite(t, base, one, "{"+whole+", "+c.keys+"}"), quiet{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range run.Methods {
			want := run.Cell("voc21", m.Name).Score("mIoU").Value
			got := sets[0].Run.Cell("voc21", Label(m.Name, name)).Score("mIoU").Value
			if seen[want] = true; got != want {
				t.Errorf("%s, %s: %v, a run has %v", m.Name, name, got, want)
			}
		}
	}
	if len(seen) < 2*len(changes) {
		t.Errorf("the decisions make little difference and test nothing: %v", seen)
	}
	// Maps and truths that changed are named.
	files, err := filepath.Glob(filepath.Join(keep.Out, "maps", "voc21", "clip", "*.npy"))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	own := Redecision{Dir: keep.Out, Variants: func(_ *results.Dataset,
		p configs.Protocol) []Variant {
		return []Variant{{"own", p}}
	}}
	refused := func(what, want, file string, change func(data []byte) []byte) {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, change(bytes.Clone(data)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Redecide(t.Context(), own, quiet{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", what, err, want)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused("another map", "does not give what was recorded", files[0], func(data []byte) []byte {
		for i := len(data) - 1; i >= 128; i -= 4 {
			data[i] ^= 0x80 // the sign
		}
		return data
	})
	refused("another truth", "has another truth than when it was measured", filepath.Join(keep.Out, records.FileName),
		func(data []byte) []byte { return bytes.Replace(data, []byte(`"truth":"`), []byte(`"truth":"0`), 1) })
	// Samples whose maps went are counted, and data sets without any refused with what to type.
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if sets, err := Redecide(t.Context(), own, quiet{}); err != nil || sets[0].Missing != 1 || len(sets[0].Records) != 3 {
		t.Errorf("%+v, %v", sets, err)
	}
	if err := os.RemoveAll(filepath.Join(keep.Out, "maps")); err != nil {
		t.Fatal(err)
	}
	_, err = Redecide(t.Context(), own, quiet{})
	if none := (NoMapsError{}); !errors.As(err, &none) || !strings.Contains(err.Error(),
		"--save maps --out "+keep.Out+"-maps") {
		t.Errorf("error %v", err)
	}
}

func TestSavingMaps(t *testing.T) {
	for _, c := range [][2]string{
		{"ovbench run voc21 --out a/b --data /d", "ovbench run voc21 --data /d --save maps --out r-maps"},
		{"ovbench run voc21 --save=labels --out=x --resume", "ovbench run voc21 --save maps --out r-maps"},
		{"ovbench import voc21", "ovbench run SUITE --save maps --out r-maps"},
	} {
		if d := cmp.Diff(c[1], savingMaps(strings.Fields(c[0]), "r/")); d != "" {
			t.Error(d)
		}
	}
}
