package clip

import (
	"image"
	"slices"
	"testing"
)

// Sides become multiples: the longer one the next, the other in proportion and up. Where both are, pixels stay.
func TestMultiple(t *testing.T) {
	in := Input{Resize: ShortSide, Height: 448, Width: 448, Long: 2048, Filter: FilterCV2Linear, Multiple: 16}
	for _, c := range [][4]int{
		{375, 500, 464, 608}, // by way of 448x597, and of 456x608
		{500, 500, 448, 448}, {480, 640, 464, 608}, {333, 500, 464, 688}, {500, 375, 608, 464},
	} {
		if h, w := in.Size(c[0], c[1]); h != c[2] || w != c[3] {
			t.Errorf("%dx%d becomes %dx%d, want %dx%d", c[0], c[1], h, w, c[2], c[3])
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, 50, 30))
	for i := range img.Pix {
		img.Pix[i] = uint8(40 + i/4%50*3)
	}
	in.Height, in.Width, in.Multiple = 30, 30, 0
	before, err := in.Pixels(img)
	if err != nil {
		t.Fatal(err)
	}
	in.Multiple = 8
	after, err := in.Pixels(img)
	if err != nil || !slices.Equal(after.Shape, []int{1, 3, 40, 56}) {
		t.Fatalf("pixels %v, %v", after.Shape, err)
	}
	// Columns are a ramp, so that a pixel tells its place: cell x of 56 is at (x + ½) 50/56 - ½ of 50.
	for _, x := range []int{3, 20, 41} {
		at := (float64(x)+0.5)*50/56 - 0.5
		i := int(at)
		want := float64(before.Data[i]) + (at-float64(i))*float64(before.Data[i+1]-before.Data[i])
		if got := float64(after.Data[x]); got < want-1e-3 || got > want+1e-3 {
			t.Errorf("column %d is %v, want %v", x, got, want)
		}
	}
	in.Multiple = 10
	if same, err := in.Pixels(img); err != nil || !slices.Equal(same.Data, before.Data) {
		t.Errorf("30x50 pixels change though they are multiples of 10: %v", err)
	}
}
