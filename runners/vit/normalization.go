package vit

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Normalization is x → (x/255 - Mean) / Std for pixels x in 0..255, per channel R, G, B. It stands at the beginning of
// every tower's part of a graph, whose input is the picture's own pixels.
type Normalization struct{ Mean, Std [3]float32 }

// The normalisations in use.
var (
	// CLIP is that of OpenAI's CLIP, and of most models since; some of LAION's have mean and deviation 0.5.
	CLIP = Normalization{[3]float32{0.48145466, 0.4578275, 0.40821073}, [3]float32{0.26862954, 0.26130258, 0.27577711}}
	// ImageNet is that of networks trained on ImageNet, DINO among them.
	ImageNet = Normalization{[3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}}
)

// NewNormalization checks what a configuration says; nothing said is the zero Normalization.
func NewNormalization(mean, std []float32) (n Normalization, err error) {
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

// Grey is the colour in 0..255 that is normalised to 0.
func (n Normalization) Grey() (rgb [3]float32) {
	for c, m := range n.Mean {
		rgb[c] = 255 * m
	}
	return rgb
}

// Apply normalises pictures rgb [B, 3, H, W] in a graph.
func (n Normalization) Apply(g *onnx.Graph, rgb onnx.Value) onnx.Value {
	scale, shift := tensor.New(3, 1, 1), tensor.New(3, 1, 1)
	for c := range 3 {
		scale.Data[c] = float32(1 / (255 * float64(n.Std[c])))
		shift.Data[c] = float32(-float64(n.Mean[c]) / float64(n.Std[c]))
	}
	return g.Add(g.Mul(rgb, g.Const("pixels.scale", scale)), g.Const("pixels.shift", shift))
}

// Values are the normalised values of pictures rgb [B, 3, H, W], new memory. For whole numbers they are those of
// torchvision, bit by bit.
func (n Normalization) Values(rgb tensor.Dense) tensor.Dense {
	out := tensor.New(rgb.Shape...)
	plane := rgb.Shape[2] * rgb.Shape[3]
	for i, v := range rgb.Data {
		c := i / plane % 3
		out.Data[i] = (v/255 - n.Mean[c]) / n.Std[c]
	}
	return out
}
