package jpeg

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Worked by hand from libjpeg's rule: weights 3/4 and 1/4 along each doubled axis, edges repeated,
// rounding +1/+2 of 4 in turn along one axis and +8/+7 of 16 along two.
func TestUpsample(t *testing.T) {
	for _, test := range []struct {
		name   string
		p      plane
		sx, sy int
		want   [][]byte
	}{
		{"4:4:4", plane{[]byte{10, 12}, 2, 2, 1}, 1, 1, [][]byte{{10, 12}}},
		{"4:4:0", plane{[]byte{10, 12}, 1, 1, 2}, 1, 2, [][]byte{{10}, {11}, {11}, {12}}},
		{"4:2:2", plane{[]byte{10, 12, 10}, 3, 3, 1}, 2, 1, [][]byte{{10, 11, 11, 12, 10, 10}}},
		{"4:2:2 of two samples", plane{[]byte{10, 12}, 2, 2, 1}, 2, 1, [][]byte{{10, 10, 12, 12}}},
		{"4:2:0", plane{[]byte{10, 12, 10, 10, 10, 10}, 3, 3, 2}, 2, 2,
			// Sums 40 48 40 (the top row twice), 40 46 40, 40 42 40, 40 40 40.
			[][]byte{{10, 10, 12, 11, 11, 10}, {10, 10, 11, 11, 10, 10}, {10, 10, 10, 10, 10, 10}, {10, 10, 10, 10, 10, 10}}},
		{"4:1:1", plane{[]byte{10, 12, 99}, 3, 3, 1}, 4, 1, [][]byte{{10, 10, 10, 10, 12, 12, 12, 12, 99, 99, 99, 99}}},
	} {
		for y, want := range test.want {
			got := make([]byte, test.p.w*test.sx)
			test.p.upsampleRow(got, make([]int32, test.p.w), y, test.sx, test.sy)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, row %d: %v, want %v", test.name, y, got, want)
			}
		}
	}
}

// Both decoders give up on the same damage: whatever is cut off the end of a file, it is truncated.
func TestTruncatedJPEG(t *testing.T) {
	for _, name := range []string{"420_37x29.jpg", "420_progressive.jpg", "cmyk_adobe.jpg", "grey.jpg"} {
		data, err := os.ReadFile(filepath.Join("../picture/testdata/pixels", name))
		if err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < len(data)-4; cut += 7 {
			if _, err := Decode(data[:len(data)-cut]); err == nil {
				t.Errorf("%s less %d bytes of %d is a picture", name, cut, len(data))
				break
			}
		}
	}
}
