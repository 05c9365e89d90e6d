package clip

import (
	"fmt"
	"image"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// The mean and standard deviation of CLIP's training images, per channel R, G, B in 0..1.
var (
	Mean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	Std  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// Resize is how a picture gets the size of the network's input.
type Resize string

// The ways in use.
const (
	// Squash resizes to the input's height and width, aspect ratio or not: the whole picture is explained (CLIP Surgery).
	Squash Resize = "squash"
	// Crop resizes the shorter side to a square input's side and cuts out the centre (OpenAI's CLIP).
	Crop Resize = "crop"
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

// resize gives src the size w x h.
func (f Filter) resize(src resample.RGB, w, h int) (resample.RGB, error) {
	switch f {
	case FilterBicubic:
		return resample.Pillow(src, w, h, resample.BicubicFilter), nil
	case FilterBilinear:
		return resample.Pillow(src, w, h, resample.BilinearFilter), nil
	case FilterLanczos:
		return resample.Pillow(src, w, h, resample.LanczosFilter), nil
	case FilterCV2Linear:
		return resample.CV2Linear(src, w, h), nil
	}
	return src, fmt.Errorf("filter %q is not known; known are bicubic, bilinear, lanczos, cv2-linear", f)
}

// Preprocess turns a picture into pixels [1, 3, height, width]: resized, divided by 255, normalised by Mean and Std.
// The values are bit-equal to those of Pillow (or OpenCV) and torchvision.
func Preprocess(img *image.NRGBA, height, width int, how Resize, filter Filter) (tensor.Dense, error) {
	src := resample.FromNRGBA(img)
	var err error
	if src.W < 1 || src.H < 1 {
		return tensor.Dense{}, fmt.Errorf("the picture is empty")
	}
	switch how {
	case Squash:
		src, err = filter.resize(src, width, height)
	case Crop:
		if height != width {
			return tensor.Dense{}, fmt.Errorf("resize crop wants a square size, not %dx%d", height, width)
		}
		// torchvision: the longer side is truncated, the crop's origin rounded half to even.
		w, h := width, height
		if src.W > src.H {
			w = width * src.W / src.H
		} else {
			h = height * src.H / src.W
		}
		if src, err = filter.resize(src, w, h); err == nil {
			src = crop(src, width, height)
		}
	default:
		return tensor.Dense{}, fmt.Errorf("resize %q is not known; known are squash, crop", how)
	}
	if err != nil {
		return tensor.Dense{}, err
	}
	return normalise(src), nil
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

// table holds the normalised value of every byte of every channel.
var table = func() (t [3][256]float32) {
	for c := range t {
		for v := range t[c] {
			t[c][v] = (float32(v)/255 - Mean[c]) / Std[c]
		}
	}
	return t
}()

func normalise(src resample.RGB) tensor.Dense {
	out := tensor.New(1, 3, src.H, src.W)
	n := src.W * src.H
	for c := range 3 {
		plane := out.Data[c*n : (c+1)*n]
		for i := range plane {
			plane[i] = table[c][src.Pix[3*i+c]]
		}
	}
	return out
}
