package clip

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"testing"

	"ovbench/runners/tensor"
)

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// positions.json was made by testdata/make_positions.py with torch 2.15.
func TestPositions(t *testing.T) {
	var want struct {
		Grid, Width int
		Table       []float32
		Cases       []struct {
			Rows, Cols int
			Out        map[Interpolation][]float32
		}
	}
	readJSON(t, "testdata/positions.json", &want)
	table := tensor.New(1+want.Grid*want.Grid, want.Width)
	table.Data[0], table.Data[1] = 8, 9 // the class token's row
	copy(table.Data[want.Width:], want.Table)
	for _, c := range want.Cases {
		for _, p := range Interpolations {
			got := p.resize(table, c.Rows, c.Cols)
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

// crop.json was made by testdata/make_positions.py with Pillow.
func TestCrop(t *testing.T) {
	var want struct {
		Cases []struct {
			W, H, N int
			Pixels  []int
		}
	}
	readJSON(t, "testdata/crop.json", &want)
	for _, c := range want.Cases {
		img := image.NewNRGBA(image.Rect(0, 0, c.W, c.H))
		for y := range c.H {
			for x := range c.W {
				img.SetNRGBA(x, y, color.NRGBA{uint8(7*x + 3*y), uint8(5 * x * y), uint8(11*y + x*x), 255})
			}
		}
		got, err := Preprocess(img, c.N, c.N, Crop, FilterBicubic)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.Pixels {
			// torchvision divides by 255, subtracts and divides again, in float32.
			ch := i % 3
			w := (float32(v)/255 - Mean[ch]) / Std[ch]
			if g := got.Data[ch*c.N*c.N+i/3]; g != w {
				t.Errorf("%dx%d to %d: pixel %d is %v, want %v", c.W, c.H, c.N, i, g, w)
				break
			}
		}
	}
	if _, err := Preprocess(image.NewNRGBA(image.Rect(0, 0, 4, 4)), 8, 9, Crop, FilterBicubic); err == nil {
		t.Error("an oblong crop is accepted")
	}
}

// Every filter gives its own pixels, those of package resample.
func TestFilters(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 9, 7))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 37 % 251)
	}
	seen := map[float32]Filter{}
	for _, f := range []Filter{FilterBicubic, FilterBilinear, FilterLanczos, FilterCV2Linear} {
		p, err := Preprocess(img, 4, 5, Squash, f)
		if err != nil {
			t.Fatal(err)
		}
		sum := float32(0)
		for i, v := range p.Data {
			sum += v * float32(i+1)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%s gives the pixels of %s", f, other)
		}
		seen[sum] = f
	}
	if _, err := Preprocess(img, 4, 5, Squash, "box"); err == nil {
		t.Error("an unknown filter is accepted")
	}
}
