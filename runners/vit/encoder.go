package vit

import "ovbench/runners/onnx"

// Encoder is the image tower of an image-text model, of whatever kind, with its way into the space of texts.
type Encoder interface {
	// Grid is the number of patch tokens, rows by columns, of an image of height x width pixels.
	Grid(height, width int) (rows, cols int)
	// Multiple is the pixels of a token's side: what the sides of an image are multiples of, if no pixel is to be left
	// out.
	Multiple() int
	// Interpolation is how the tower reads its positions on other grids, where a method's authors do it as given.
	Interpolation(Interpolation) Interpolation
	// Encode is the unchanged tower: all tokens of rgb [B, 3, H, W], 0..255, projected, un-normalised, the global one
	// first: [B, 1+N, E].
	Encode(g *onnx.Graph, rgb onnx.Value, p Interpolation) onnx.Value
}
