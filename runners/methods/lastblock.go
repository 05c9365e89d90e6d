package methods

import (
	"fmt"
	"slices"
	"strings"

	"ovbench/runners/onnx"
)

// Most methods leave all blocks but the last as they are and read that one in another way. This file is what they
// share.

// attentions are the attention matrices that may stand in for softmax(q kᵀ s), by name.
var attentions = []string{"qk", "qq", "kk", "vv", "qq+kk", "identity"}

// attend is attention of the named kind over the values u, without the output projection.
func attend(g *onnx.Graph, v Tower, kind string, q, k, u onnx.Value) onnx.Value {
	none := onnx.Value{}
	switch kind {
	case "qk":
		return v.SelfAttention(g, q, k, u)
	case "qq":
		return v.Attention(g, q, q, u, none)
	case "kk":
		return v.Attention(g, k, k, u, none)
	case "vv":
		return v.Attention(g, u, u, u, none)
	case "qq+kk":
		return g.Add(v.Attention(g, q, q, u, none), v.Attention(g, k, k, u, none))
	case "identity":
		return u
	}
	panic("methods: attention " + kind) // Check has seen it
}

// read ends block i with what its attention gave: projected, and with the residual and the MLP if so wanted.
func read(g *onnx.Graph, v Tower, i int, x, attended onnx.Value, residual bool) onnx.Value {
	y := v.Out(g, i, attended)
	if !residual {
		return y
	}
	y = g.Add(x, y)
	return g.Add(y, v.MLP(g, i, y))
}

// oneOf says why a parameter's value is none of those known.
func oneOf(method, param, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: %s %q is not known; known are %s", method, param, value, strings.Join(known, ", "))
}

// checkDepth says why a second path through the last depth blocks does not fit.
func checkDepth(method string, m Models, depth int) error {
	t, err := needBlocks(method, m)
	if err != nil {
		return err
	}
	if depth < 1 || depth > t.Depth() {
		return fmt.Errorf("%s: depth %d is out of range: %s has %d blocks", method, depth, m.Name(), t.Depth())
	}
	return nil
}
