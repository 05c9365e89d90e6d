package runners_test

import (
	"path/filepath"
	"testing"

	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// patches are tokens without the class token.
func patches(d tensor.Dense) tensor.Dense {
	out := tensor.New(d.Shape[0], d.Shape[1]-1, d.Shape[2])
	for i := range d.Shape[0] {
		copy(out.At(i).Data, d.At(i).Data[d.Shape[2]:])
	}
	return out
}

// The arrays under testdata/rivals were recorded by testdata/make_rivals.py, which runs the authors' code of SC-CLIP and ResCLIP on the
// micro model (torch 2.15, float32). SC-CLIP has no class token there.
func TestCalibrated(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro")
	m, _ := open(t, filepath.Join(micro, "hf"), filepath.Join(micro, "hf"))
	method, err := methods.New("sc_clip", map[string]any{"pre": 5, "post": 2, "multi_from": 2, "multi_to": 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, standard := range []bool{false, true} {
		both := append(named(t, "clip"), runners.Named{Name: "sc_clip", Method: method})
		any := images(t, m, both, runners.ImageOptions{StandardOps: standard, Positions: method.Positions()})
		for _, size := range []string{"72", "48x64"} {
			got := tokens(t, any, load(t, filepath.Join(micro, "pixels_"+size+".npy")))
			equal(t, "sc_clip at "+size, patches(got[1]), load(t, filepath.Join("testdata", "rivals", "sc_clip_"+size+".npy")))
			width := got[0].Shape[2]
			class := func(d tensor.Dense) tensor.Dense { return tensor.Dense{Shape: []int{width}, Data: d.Data[:width]} }
			if d := distance(class(got[1]), class(got[0])); d > 1e-6 {
				t.Errorf("the class token is %.2g from CLIP's", d)
			}
		}
	}
}
