package clip

import (
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

// Multiple is the side of a patch in pixels.
func (v *ViT) Multiple() int { return v.Patch }

// Encode is the unchanged tower: every token of rgb [B, 3, H, W] goes where the class token goes, [B, 1+N, E].
func (v *ViT) Encode(g *onnx.Graph, rgb onnx.Value, p vit.Interpolation) onnx.Value {
	return v.Project(g, v.Before(g, rgb, p, v.Depth()))
}

// Project takes tokens [B, n, W] through the last LayerNorm and the projection to [B, n, E].
func (v *ViT) Project(g *onnx.Graph, x onnx.Value) onnx.Value { return v.Proj.Apply(g, v.Final(g, x)) }

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
	return err
}
