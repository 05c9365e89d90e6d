package onnx

import "slices"

// Relu is max(x, 0).
func (g *Graph) Relu(x Value) Value { return g.node("Relu", []Value{x}, x.DType(), x.Shape()) }

// BatchNorm is (x - mean) / sqrt(variance + eps) · scale + shift per channel of x [B, C, …], with the statistics of
// training: scale, shift, mean and variance are weights [C].
//
// Note: behind a convolution ONNX Runtime folds it into the convolution's weights when it loads the graph, also
// through the Cast of half-precision weights. Folding here would need the weights in memory, and those of the
// largest ResNet alone are near the 2 GiB that a ModelProto may hold.
func (g *Graph) BatchNorm(x, scale, shift, mean, variance Value, eps float32) Value {
	in := []Value{x, scale, shift, mean, variance}
	for _, p := range in[1:] {
		if len(x.Shape()) < 2 || !slices.Equal(p.Shape(), x.Shape()[1:2]) {
			g.fault("BatchNormalization", in...)
		}
	}
	return g.node("BatchNormalization", in, x.DType(), x.Shape(), floatAttr("epsilon", eps))
}

// AvgPool is the mean over squares of n x n pixels of x [B, C, H, W], side by side; a remainder at the right and bottom
// is dropped. H and W may be symbols.
func (g *Graph) AvgPool(x Value, n int) Value {
	s := slices.Clone(x.Shape())
	if n == 1 {
		return x
	}
	if len(s) != 4 || s[2] >= 0 && s[2] < n || s[3] >= 0 && s[3] < n {
		g.fault("AveragePool", x)
	}
	s[2], s[3] = g.strided(s[2], n, n, 0), g.strided(s[3], n, n, 0)
	return g.node("AveragePool", []Value{x}, x.DType(), s, intsAttr("kernel_shape", n, n), intsAttr("strides", n, n))
}
