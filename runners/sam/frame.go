package sam

import (
	"fmt"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Frame is how a picture of Width x Height pixels lies in the square input of side pixels: resized to width x height in
// the top left corner, with zeros to the right and below.
type Frame struct {
	Width, Height int
	side          int
	width, height int
}

// newFrame gives the longer side of the picture the input's side.
func newFrame(w, h, side int) (Frame, error) {
	if w < 1 || h < 1 {
		return Frame{}, fmt.Errorf("a picture of %dx%d pixels", w, h)
	}
	scale := float64(side) / float64(max(w, h))
	f := Frame{w, h, side, int(float64(w)*scale + 0.5), int(float64(h)*scale + 0.5)}
	if f.width < 1 || f.height < 1 {
		return f, fmt.Errorf("a picture of %dx%d pixels has no shorter side left when its longer one is %d, as SAM wants "+
			"it; crop it first", w, h, side)
	}
	return f, nil
}

// toInput takes a place in the picture to the input.
func (f Frame) toInput(x, y float64) (float64, float64) {
	return x * (float64(f.width) / float64(f.Width)), y * (float64(f.height) / float64(f.Height))
}

// resized is the picture as the authors' code resizes it: Pillow's bilinear filter, on bytes.
func (f Frame) resized(rgb resample.RGB) resample.RGB {
	return resample.Pillow(rgb, f.width, f.height, resample.BilinearFilter)
}

// pixels are the network's input [1, 3, side, side]: normalised, then padded with zeros.
func (f Frame) pixels(rgb resample.RGB, mean, std [3]float32) tensor.Dense {
	out := tensor.New(1, 3, f.side, f.side)
	for c := range 3 {
		plane := out.Data[c*f.side*f.side:]
		for y := range f.height {
			row := plane[y*f.side:][:f.width]
			from := rgb.Pix[3*y*f.width+c:]
			for x := range row {
				row[x] = (float32(from[3*x]) - mean[c]) / std[c]
			}
		}
	}
	return out
}

// bytes are the network's input as [height, width, 3] in 0..255, for encoders that normalise and pad themselves.
func (f Frame) bytes(rgb resample.RGB) tensor.Dense {
	out := tensor.New(f.height, f.width, 3)
	for i, v := range rgb.Pix {
		out.Data[i] = float32(v)
	}
	return out
}

// upsampling takes low-resolution logits, low x low, to the picture: to the input's side, cut to the resized picture,
// to the picture's size, bilinearly both times.
func (f Frame) upsampling(low int) *resample.TwoStep {
	return resample.NewTwoStep(low, low, f.side, f.side, f.width, f.height, f.Width, f.Height)
}
