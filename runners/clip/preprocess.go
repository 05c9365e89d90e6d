package clip

import (
	"fmt"
	"image"
	"strings"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Resize is how a picture gets the size of the network's input.
type Resize string

// The ways in use.
const (
	// Squash resizes to the input's height and width, aspect ratio or not: the whole picture is explained (CLIP Surgery).
	Squash Resize = "squash"
	// Crop resizes the shorter side to a square input's side and cuts out the centre (OpenAI's CLIP).
	Crop Resize = "crop"
	// ShortSide keeps the shape: the shorter side gets the size, unless the longer one would pass its limit (mmcv's
	// keep_ratio).
	ShortSide Resize = "short-side"
)

// Filter is the kernel of a resize, by the library whose pixels it gives.
type Filter string

// The filters in use. Pillow's widen when they shrink a picture (antialias); OpenCV's does not.
const (
	FilterBicubic   Filter = "bicubic"  // Pillow's, CLIP's own preprocessing
	FilterBilinear  Filter = "bilinear" // Pillow's
	FilterLanczos   Filter = "lanczos"  // Pillow's
	FilterCV2Linear Filter = "cv2-linear"
)

// pillow13 before the name of one of Pillow's filters is that of Pillow 13, which resizes some pictures to other bytes.
const pillow13 = "pillow13-"

var pillowFilters = map[Filter]resample.Filter{
	FilterBicubic: resample.BicubicFilter, FilterBilinear: resample.BilinearFilter, FilterLanczos: resample.LanczosFilter,
}

// resize gives src the size w x h.
func (f Filter) resize(src resample.RGB, w, h int) (resample.RGB, error) {
	if f == FilterCV2Linear {
		return resample.CV2Linear(src, w, h), nil
	}
	name, newer := strings.CutPrefix(string(f), pillow13)
	switch kernel, known := pillowFilters[Filter(name)]; {
	case known && newer:
		return resample.Pillow13(src, w, h, kernel), nil
	case known:
		return resample.Pillow(src, w, h, kernel), nil
	}
	return src, fmt.Errorf("filter %q is not known; known are bicubic, bilinear, lanczos, their like with "+
		pillow13+" before, cv2-linear", f)
}

// Input is how a picture becomes the pixels of a network. It is a value: equal Inputs make equal pixels of a picture.
type Input struct {
	Resize        Resize
	Height, Width int // for ShortSide both are the shorter side
	Long          int // ShortSide: the longer side's limit; 0 for none
	Filter        Filter
	// Multiple, of ShortSide: unless both sides are multiples, they are made some by enlarging the pixels once more,
	// bilinearly (torch): the longer side to the next one, the other in proportion and up (Trident). 0 leaves them.
	Multiple int
}

// Preprocess turns a picture into pixels [1, 3, height, width]: see [Input.Pixels].
func Preprocess(img *image.NRGBA, height, width int, how Resize, filter Filter) (tensor.Dense, error) {
	return Input{Resize: how, Height: height, Width: width, Filter: filter}.Pixels(img)
}

// Check says why in cannot make pixels.
func (in Input) Check() error {
	switch in.Resize {
	case Squash:
	case Crop, ShortSide:
		if in.Height != in.Width {
			return fmt.Errorf("resize %s wants a square size, not %dx%d", in.Resize, in.Height, in.Width)
		}
	default:
		return fmt.Errorf("resize %q is not known; known are squash, crop, short-side", in.Resize)
	}
	if in.Height < 1 || in.Width < 1 || in.Long < 0 || in.Multiple < 0 {
		return fmt.Errorf("the size %dx%d (longest side %d) is not positive", in.Height, in.Width, in.Long)
	}
	return nil
}

// Size is the height and width of the pixels that Pixels makes of a picture of h x w pixels.
func (in Input) Size(h, w int) (height, width int) {
	h, w = in.filtered(h, w)
	if m := in.Multiple; in.Resize == ShortSide && m > 0 && (h%m > 0 || w%m > 0) {
		up := func(n int) int { return (n + m - 1) / m * m }
		longer := max(h, w)
		h, w = up(h*up(longer)/longer), up(w*up(longer)/longer)
	}
	return h, w
}

// filtered is the size to which Filter resizes a picture.
func (in Input) filtered(h, w int) (height, width int) {
	if in.Resize != ShortSide {
		return in.Height, in.Width
	}
	factor := float64(in.Height) / float64(min(h, w))
	if in.Long > 0 {
		factor = min(factor, float64(in.Long)/float64(max(h, w)))
	}
	side := func(n int) int { return max(int(float64(n)*factor+0.5), 1) }
	return side(h), side(w)
}

// maxInput bounds the pixels of an input: 4096 x 4096. ShortSide without a limit reaches it on strips.
const maxInput = 1 << 24

// Pixels turns a picture into pixels [1, 3, height, width]: resized, whole numbers in 0..255, equal to those of Pillow
// (or OpenCV), but for those enlarged to Multiple. Towers normalise them in their graphs.
func (in Input) Pixels(img *image.NRGBA) (tensor.Dense, error) {
	if err := in.Check(); err != nil {
		return tensor.Dense{}, err
	}
	if img.Rect.Dx() < 1 || img.Rect.Dy() < 1 {
		return tensor.Dense{}, fmt.Errorf("the picture is empty")
	}
	src := resample.FromNRGBA(img)
	h, w := in.filtered(src.H, src.W)
	if h*w > maxInput {
		return tensor.Dense{},
			fmt.Errorf("the picture of %dx%d pixels would become %dx%d, more than %d pixels; limit the longer side", src.W,
				src.H, w, h, maxInput)
	}
	if in.Resize == Crop { // torchvision: the longer side is truncated, the crop's origin rounded half to even
		if src.W > src.H {
			w = w * src.W / src.H
		} else {
			h = h * src.H / src.W
		}
	}
	src, err := in.Filter.resize(src, w, h)
	if err != nil {
		return tensor.Dense{}, err
	}
	if in.Resize == Crop {
		src = crop(src, in.Width, in.Height)
	}
	pixels := values(src)
	if h, w := in.Size(img.Rect.Dy(), img.Rect.Dx()); in.Resize == ShortSide && (h != src.H || w != src.W) {
		enlarged := tensor.New(1, 3, h, w)
		for c := range 3 {
			resample.Bilinear(enlarged.At(0).At(c).Data, w, h, pixels.At(0).At(c).Data, src.W, src.H)
		}
		pixels = enlarged
	}
	return pixels, nil
}

func crop(src resample.RGB, w, h int) resample.RGB {
	half := func(n int) int { // round(n / 2), halves to even
		return (n + n/2%2) / 2
	}
	x, y := half(src.W-w), half(src.H-h)
	out := resample.RGB{W: w, H: h, Pix: make([]uint8, 0, 3*w*h)}
	for row := range h {
		at := 3 * ((y+row)*src.W + x)
		out.Pix = append(out.Pix, src.Pix[at:at+3*w]...)
	}
	return out
}

// values are the bytes of src as numbers [1, 3, H, W].
func values(src resample.RGB) tensor.Dense {
	out := tensor.New(1, 3, src.H, src.W)
	n := src.W * src.H
	for c := range 3 {
		plane := out.Data[c*n : (c+1)*n]
		for i := range plane {
			plane[i] = float32(src.Pix[3*i+c])
		}
	}
	return out
}
