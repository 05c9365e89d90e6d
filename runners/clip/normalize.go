package clip

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Normalization is x → (x - Mean) / Std for pixels x in 0..1, per channel R, G, B. Most models have that of OpenAI's CLIP;
// some of LAION's, such as its ViT-L/14 on LAION-2B, have mean and deviation 0.5.
type Normalization struct{ Mean, Std [3]float32 }

// CLIPPixels is the normalisation of OpenAI's CLIP. [Preprocess] gives these pixels whatever the model; one that wants others
// has the step between in its graph.
var CLIPPixels = Normalization{Mean, Std}

// newNormalization checks what a configuration says; nothing said is the zero Normalization.
func newNormalization(mean, std []float32) (n Normalization, err error) {
	if len(mean) == 0 && len(std) == 0 {
		return n, nil
	}
	if len(mean) != 3 || len(std) != 3 {
		return n, fmt.Errorf("mean %v and std %v are not of three channels", mean, std)
	}
	for c := range 3 {
		if !(std[c] > 0) || math.IsInf(float64(std[c]), 0) {
			return n, fmt.Errorf("std %v is not positive", std)
		}
		n.Mean[c], n.Std[c] = mean[c], std[c]
	}
	return n, nil
}

// apply takes pixels normalised as CLIPPixels to n.
func (n Normalization) apply(g *onnx.Graph, pixels onnx.Value) onnx.Value {
	if n == CLIPPixels {
		return pixels
	}
	scale, shift := tensor.New(3, 1, 1), tensor.New(3, 1, 1)
	for c := range 3 {
		std := float64(n.Std[c])
		scale.Data[c] = float32(float64(Std[c]) / std)
		shift.Data[c] = float32((float64(Mean[c]) - float64(n.Mean[c])) / std)
	}
	return g.Add(g.Mul(pixels, g.Const("pixels.scale", scale)), g.Const("pixels.shift", shift))
}
