package methods

import (
	"fmt"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// GradCAM weights the channels of a layer by the mean of their gradients (Selvaraju et al., arXiv 1610.02391). Code
// that says so of CLIP's vision transformers does four different things, which are the values of Layer:
//
//	ln1        LayerNorm before the last attention; gradients of patches (pytorch-grad-cam's example for CLIP)
//	cls        output of the last block; the gradient of the class token (gScoreCAM's code)
//	input      input of the last block; gradients of all tokens, through attention in one head (Grad-ECLIP's baseline)
//	attention  attention of the class token in the last block, head by head (Chefer's baseline)
//
// Of a ResNet it is the output of the last stage, whatever Layer says; resnet refuses other models. Of a tower whose
// global token a pool makes, attention is the pool's; ln1 and input are differentiated through the last block and the
// pool, and cls is refused.
type GradCAM struct {
	Layer  string `json:"layer"`
	Target string `json:"target"` // cosine; logit, a multiple; or softmax over all texts, as in pytorch-grad-cam's example
	Heads  string `json:"heads"`  // native or one, of the last block's attention; reference is one for the layer input, else native
}

// Traits are positions read bicubically to a size.
func (c *GradCAM) Traits() Traits {
	t := Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Ending: ReLUMinMaxResizeMinMax,
		Together: c.Target == softmaxTarget}
	t.Comparable = !t.Together
	if c.Layer == "input" || c.Layer == "attention" {
		t.Ending = ReLUMinMaxResize
	}
	return t
}

// Check wants known parameters.
func (c *GradCAM) Check(m Models) error {
	if err := oneOf("gradcam", "layer", c.Layer, "ln1", "cls", "input", "attention", "resnet"); err != nil {
		return err
	}
	if err := oneOf("gradcam", "heads", c.Heads, headsOf...); err != nil {
		return err
	}
	if err := oneOf("gradcam", "target", c.Target, cosineTarget, logitTarget, softmaxTarget); err != nil {
		return err
	}
	if _, pool := m.Encoder().(*clip.ResNet); c.Layer == "resnet" && !pool {
		return fmt.Errorf("gradcam: layer resnet is of a ResNet, and %s is %s", m.Source(), m.Name())
	}
	if m.pooled() {
		if c.Layer == "cls" {
			return fmt.Errorf("gradcam: layer cls is of a class token, which %s has none of that stands for the picture",
				m.Name())
		}
		return pooledHeads("gradcam", c.Heads, m)
	}
	return needGlobal("gradcam", m)
}

// Read gives the weighted channels of patches, signed.
func (c *GradCAM) Read(s *Scene) Reading {
	g := s.Graph
	row := s.lastRow(c.Heads == "one" || c.Heads == "reference" && c.Layer == "input")
	seed := s.target(c.Target, row.embedding)
	if pool, ok := s.Encoder().(*clip.ResNet); ok {
		pixels := pool.Features(g, s.RGB)
		return s.weighted(pixels, row.pixelWeights(g, seed, pixels))
	}
	if s.pooled() && c.Layer != "attention" {
		return s.throughBlock(seed, c.Layer == "ln1")
	}
	switch c.Layer {
	case "cls":
		z := s.Before(s.Tower().Depth())
		return s.weighted(s.patchesOf(z, 1), g.Gradient(seed, row.class)[0])
	case "input":
		return s.weighted(s.patchesOf(row.x, 1), g.Mean(g.Gradient(seed, row.x)[0], 2))
	case "attention":
		gradient := g.AtWeights(g.Gradient(seed, row.attended)[0], row.v, row.heads)
		mean := g.Mean(s.patchesOf(gradient, 4), 4)
		return s.scored(meanHeads(g, g.Mul(row.weights, mean)))
	}
	return s.weighted(s.patchesOf(row.norm, 1), s.throughLinear(row.norm, g.Gradient(seed, row.k, row.v), row.k, row.v))
}

// throughBlock weights the channels that the last block takes, or its LayerNorm gives, by the mean of their gradients:
// those of patches behind the LayerNorm, of all tokens before it.
func (s *Scene) throughBlock(seed []onnx.Seed, behindNorm bool) Reading {
	last := s.Tower().Depth() - 1
	at := s.Before(last)
	if behindNorm {
		at = s.Tower().Norm(s.Graph, last, at)
	}
	by := s.Gradient(seed, at)[0]
	if behindNorm {
		by = s.patchesOf(by, 2)
	}
	r := s.weighted(s.patchesOf(at, 1), s.Mean(by, 2))
	r.Wide = true
	return r
}

// throughLinear is the mean over patches of the gradient [T, B, 1, W] by tokens norm, of which queries, keys or values
// are made: of these the gradients are given. The products between are linear, so the mean goes through them once and
// not patch by patch.
func (s *Scene) throughLinear(norm onnx.Value, gradients []onnx.Value, of ...onnx.Value) onnx.Value {
	var seeds []onnx.Seed
	for i, c := range gradients {
		seeds = append(seeds, onnx.Seed{Of: of[i], Cotangent: s.Mean(s.patchesOf(c, 2), 2)})
	}
	return s.Slice(s.Gradient(seeds, norm)[0], 2, 0, 1) // the same for all tokens
}

// pixelWeights is the mean of the gradient [T, B, 1, C] by the pixels [B, N, C] of a ResNet's last stage, which reach
// the pool as tokens and by their mean, a token too.
func (r *classRow) pixelWeights(g *onnx.Graph, seed []onnx.Seed, pixels onnx.Value) onnx.Value {
	by := g.Gradient(seed, r.q, r.k, r.v)
	through := []onnx.Seed{{Of: r.q, Cotangent: by[0]}, {Of: r.k, Cotangent: g.Mean(by[1], 2)},
		{Of: r.v, Cotangent: g.Mean(by[2], 2)}}
	return g.Slice(g.Gradient(through, pixels)[0], 2, 0, 1) // the same for all pixels
}
