// Package clip answers: what is a CLIP model, and what goes into it?
//
// [Open] finds a model's tensors in any checkpoint form and gives them one structure, [Model], whose
// methods write the two towers as graphs. Around it stand what the towers eat: [Tokenizer], prompt
// templates, [Preprocess], and [Interpolation] of positional embeddings to other sizes.
//
// The architecture is that of Radford et al., "Learning Transferable Visual Models From Natural
// Language Supervision" (2021), as OpenAI released it.
package clip

import (
	"fmt"
	"os"
	"path/filepath"

	"ovbench/runners/checkpoint"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Model is a CLIP checkpoint with its tensors in place. It holds ranges of files, not weights, and is
// immutable: methods may be called from any goroutine.
type Model struct {
	Config
	Path       string // as given to Open
	Format     checkpoint.Format
	Files      []string // all weight files
	LogitScale float64  // exp of the stored logarithm, about 100 in released weights

	Vision *ViT    // nil for a ResNet
	ResNet *ResNet // nil for a ViT
	Text   Text
}

// ViT is a vision transformer: patch embedding, class token, positions, blocks, projection.
type ViT struct {
	tower     Tower
	patch     int
	pixels    Normalization
	Conv      Tensor       // [W, 3, patch, patch]
	Class     tensor.Dense // [W]
	Positions tensor.Dense // [1+g·g, W], row 0 for the class token
	Pre, Post Norm
	Blocks    []Block
	Proj      Projection // [W] → [E]
}

// Text is the text transformer.
type Text struct {
	tower     Tower
	Tokens    Tensor // [vocabulary, W]
	Positions Tensor // [context, W]
	Blocks    []Block
	Final     Norm
	Proj      Projection
}

// Block is a pre-norm transformer block.
type Block struct {
	LN1, LN2     Norm
	Q, K, V, Out Linear
	Up, Down     Linear // of the MLP
}

// Linear is x Wᵀ + b.
type Linear struct{ Weight, Bias Tensor } // [out, in], [out]

// Norm is a LayerNorm.
type Norm struct{ Weight, Bias Tensor }

// Projection is a linear map without bias; Hugging Face stores [out, in], OpenAI [in, out].
type Projection struct {
	Weight     Tensor
	Transposed bool // the weight is [out, in]
}

// Tensor is a named weight. Data holds it in memory where the file's order of elements is not
// row-major, which a graph cannot point at.
type Tensor struct {
	Name string
	tensor.Ref
	Data *tensor.Dense
}

// Option adjusts how a checkpoint is understood.
type Option func(*hints)

// WithActivation overrides the activation of both towers, for checkpoints whose files do not name it.
func WithActivation(a Activation) Option {
	return func(h *hints) { h.visionAct, h.textAct = a, a }
}

// Open reads the model at path: a Hugging Face directory, or a file in any form [checkpoint.Open] knows.
// All shapes are checked against each other here, so that building graphs cannot fail.
func Open(path string, opts ...Option) (*Model, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	h, err := readHints(dir)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o(&h)
	}
	m, err := assemble(c, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.Path, m.Format, m.Files = path, c.Format, c.Files
	return m, nil
}

// assemble gives the checkpoint's tensors their places.
func assemble(c *checkpoint.Checkpoint, h hints) (*Model, error) {
	l := &loader{tensors: c.Tensors, names: c.Names(), used: map[string]bool{}}
	l.unwrap()
	if err := l.refuseUnknown(); err != nil {
		return nil, err
	}
	m := &Model{}
	if _, ok := l.tensors["vision_model.embeddings.class_embedding"]; ok {
		huggingFace(l, m)
	} else {
		openAI(l, m)
	}
	if l.err != nil {
		return nil, l.err
	}
	if err := l.refuseUnused(); err != nil {
		return nil, err
	}
	if err := m.tower("text", &m.Config.Text, h.textHeads, h.textAct, h.textEps, c.Format); err != nil {
		return nil, err
	}
	if m.Kind == "vit" {
		heads := h.visionHeads
		if w := h.visionHeadWidth; w != 0 {
			if m.Config.Vision.Width%w != 0 {
				return nil, fmt.Errorf("image width %d cannot be split into heads of %d, as %s has it", m.Config.Vision.Width, w, h.file)
			}
			heads = m.Config.Vision.Width / w
		}
		if err := m.tower("image", &m.Config.Vision, heads, h.visionAct, h.visionEps, c.Format); err != nil {
			return nil, err
		}
		m.Vision.tower, m.Vision.patch = m.Config.Vision, m.Patch
	}
	if m.ResNet != nil {
		if err := m.poolHeads(h.visionHeadWidth); err != nil {
			return nil, err
		}
	}
	if err := h.belongs(m.Config); err != nil {
		return nil, err
	}
	m.Text.tower = m.Config.Text
	if m.Pixels = h.pixels; m.Pixels == (Normalization{}) {
		m.Pixels = CLIPPixels
	}
	if m.Vision != nil {
		m.Vision.pixels = m.Pixels
	} else {
		m.ResNet.pixels = m.Pixels
	}
	return m, nil
}

// in places t in a graph.
func (t Tensor) in(g *onnx.Graph) onnx.Value {
	if t.Data != nil {
		return g.Const(t.Name, *t.Data)
	}
	return g.Weight(t.Name, t.Ref)
}

func (n Norm) apply(g *onnx.Graph, x onnx.Value, eps float32) onnx.Value {
	return g.LayerNorm(x, n.Weight.in(g), n.Bias.in(g), eps)
}

func (l Linear) apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	return g.Linear(x, l.Weight.in(g), l.Bias.in(g))
}

func (p Projection) apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	if p.Transposed {
		return g.Linear(x, p.Weight.in(g), onnx.Value{})
	}
	return g.MatMul(x, p.Weight.in(g))
}
