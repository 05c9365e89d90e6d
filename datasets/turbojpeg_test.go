package datasets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Goldens: Pillow 13.0.0 with libjpeg-turbo 3.2.0, by testdata/make.py. libturbojpeg 2.1.5 gives the same.
func TestTurboJPEGEqualsPillow(t *testing.T) {
	if JPEGDecoder != "libjpeg-turbo" {
		t.Skip("built without libjpeg-turbo: apt-get install libturbojpeg0-dev, then go test -tags turbojpeg ./datasets")
	}
	files, err := filepath.Glob("testdata/pixels/*.jpg")
	if err != nil || len(files) < 38 {
		t.Fatalf("%d JPEGs, %v", len(files), err)
	}
	for _, name := range files {
		got, err := ReadImage(name, AsStored)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := readRGB(t, name+".rgb.png"); !cmp.Equal(want.Pix, got.Pix) || want.Rect != got.Rect {
			largest, mean := difference(got, want)
			t.Errorf("%s: differs from Pillow by up to %d grey levels, %.4f on average", name, largest, mean)
		}
	}
}

// Both decoders give up on the same damage: whatever is cut off the end of a file, it is truncated.
func TestTruncatedJPEG(t *testing.T) {
	for _, name := range []string{"420_37x29.jpg", "420_progressive.jpg", "cmyk_adobe.jpg", "grey.jpg"} {
		data, err := os.ReadFile(filepath.Join("testdata/pixels", name))
		if err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < len(data)-4; cut += 7 {
			if _, err := decodeImage(data[:len(data)-cut], AsStored); err == nil {
				t.Errorf("%s less %d bytes of %d is a picture", name, cut, len(data))
				break
			}
		}
	}
}
