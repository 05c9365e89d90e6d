package clip

import (
	"encoding/json"
	"image"
	"image/color"
	"os"
	"testing"
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
			if g := got.Data[i%3*c.N*c.N+i/3]; g != float32(v) {
				t.Errorf("%dx%d to %d: pixel %d is %v, want %v", c.W, c.H, c.N, i, g, v)
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
	img := image.NewNRGBA(image.Rect(0, 0, 7, 90)) // so many rows that Pillow 13 begins with them
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 37 % 251)
	}
	seen := map[float32]Filter{}
	for _, f := range []Filter{FilterBicubic, FilterBilinear, FilterLanczos, FilterCV2Linear,
		"pillow13-bicubic", "pillow13-bilinear", "pillow13-lanczos"} {
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
	if _, err := Preprocess(img, 4, 5, Squash, "pillow13-cv2-linear"); err == nil {
		t.Error("an unknown filter is accepted")
	}
}
