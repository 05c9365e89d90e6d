package clip

import (
	"cmp"
	"fmt"

	"ovbench/runners/checkpoint"
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// ViT is CLIP's vision transformer with its projection into the space of texts.
type ViT struct {
	vit.Tower
	Proj weights.Projection // [W] → [E]
}

// Transformer gives methods the tower's parts.
func (v *ViT) Transformer() *vit.Tower { return &v.Tower }

// Encode is the unchanged tower: every token of rgb [B, 3, H, W] goes where the global one goes, [B, 1+N, E]. That is
// the class token, or what the pool makes of all.
func (v *ViT) Encode(g *onnx.Graph, rgb onnx.Value, p vit.Interpolation) onnx.Value {
	x := v.Before(g, rgb, p, v.Depth())
	if v.Pool == nil {
		return v.Project(g, x, vit.ByValue)
	}
	return g.Concat(1, v.Global(g, x), v.Project(g, v.PatchTokens(g, x), vit.ByValue))
}

// Project takes tokens [B, n, W] through the last LayerNorm and the projection to [B, n, E]; through the pool in the
// given form, if there is one.
func (v *ViT) Project(g *onnx.Graph, x onnx.Value, form vit.PoolForm) onnx.Value {
	h := v.Final(g, x)
	if v.Pool != nil {
		h = v.Pool.Each(g, h, form)
	}
	return v.Proj.Apply(g, h)
}

// Global is the picture's embedding [B, 1, E] for all tokens [B, Lead+N, W] behind the last block.
func (v *ViT) Global(g *onnx.Graph, x onnx.Value) onnx.Value {
	if v.Pool == nil {
		return v.Project(g, v.ClassToken(g, x), vit.ByValue)
	}
	return v.Proj.Apply(g, v.Pool.Apply(g, v.Final(g, x)))
}

func (v *ViT) normalised(n vit.Normalization) encoder {
	other := *v
	other.Pixels = n
	return &other
}

func (v *ViT) complete(c *Config, h hints, source checkpoint.Format) error {
	heads := h.visionHeads
	if w := h.visionHeadWidth; w != 0 {
		if v.Width%w != 0 {
			return fmt.Errorf("image width %d cannot be split into heads of %d, as %s has it", v.Width, w, h.file)
		}
		heads = v.Width / w
	}
	err := c.tower("image", &v.Shape, heads, h.visionAct, h.visionEps, source)
	c.Vision = v.Shape
	v.Rule = h.positions
	if h.rotary != nil {
		rotary := *h.rotary
		if rotary.Offset = v.Lead(); rotary.Native != 0 {
			rotary.Native = c.Image / c.Patch
		}
		v.Rotary = &rotary
	}
	if v.Pool != nil {
		v.Pool.Heads, v.Pool.Activation, v.Pool.Eps = cmp.Or(h.poolHeads, v.Heads), v.Activation, v.Eps
		if v.Width%v.Pool.Heads != 0 {
			return fmt.Errorf("the pool of width %d cannot be split into %d heads", v.Width, v.Pool.Heads)
		}
	}
	if v.Rotary != nil && err == nil && v.HeadDim()%4 != 0 {
		return fmt.Errorf("heads of %d channels cannot be rotated along two axes", v.HeadDim())
	}
	return err
}
