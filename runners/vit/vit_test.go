package vit

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"ovbench/runners/tensor"
)

// positions.json was made by runners/clip/testdata/make_positions.py with torch 2.15.
func TestPositions(t *testing.T) {
	var want struct {
		Grid, Width int
		Table       []float32
		Cases       []struct {
			Rows, Cols int
			Out        map[Interpolation][]float32
		}
	}
	data, err := os.ReadFile("testdata/positions.json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	table := tensor.New(1+want.Grid*want.Grid, want.Width)
	table.Data[0], table.Data[1] = 8, 9 // the class token's row
	copy(table.Data[want.Width:], want.Table)
	for _, c := range want.Cases {
		for _, p := range Interpolations {
			got := p.Resize(table, 1, c.Rows, c.Cols)
			if got.Data[0] != 8 || got.Data[1] != 9 {
				t.Errorf("%s to %dx%d: the class token's row changed to %v", p, c.Rows, c.Cols, got.Data[:2])
			}
			if len(c.Out[p]) != c.Rows*c.Cols*want.Width {
				t.Fatalf("%s to %dx%d: the recording has %d numbers", p, c.Rows, c.Cols, len(c.Out[p]))
			}
			for i, w := range c.Out[p] {
				if g := got.Data[want.Width+i]; math.Abs(float64(g-w)) > 2e-6 {
					t.Errorf("%s to %dx%d: element %d is %v, want %v", p, c.Rows, c.Cols, i, g, w)
					break
				}
			}
		}
	}
}

// A grey of 100; expected values: Python, (100/255 - mean) / std.
func TestNormalization(t *testing.T) {
	grey := tensor.Dense{Shape: []int{1, 3, 1, 1}, Data: []float32{100, 100, 100}}
	for _, c := range []struct {
		n    Normalization
		want [3]float64
	}{{CLIP, [3]float64{-0.3324199, -0.2513203, -0.0582132}}, {ImageNet, [3]float64{-0.4054286, -0.2850140, -0.0615251}}} {
		for i, v := range c.n.Values(grey).Data {
			if math.Abs(float64(v)-c.want[i]) > 1e-6 {
				t.Errorf("%v: channel %d is %v, want %v", c.n, i, v, c.want[i])
			}
		}
		grey := c.n.Grey()
		if zero := c.n.Values(tensor.Dense{Shape: []int{1, 3, 1, 1}, Data: grey[:]}); math.Abs(float64(zero.Data[1])) > 1e-6 {
			t.Errorf("%v: its grey is %v", c.n, zero.Data)
		}
	}
}
