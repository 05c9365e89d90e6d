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
	"path/filepath"

	"ovbench/runners/checkpoint"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
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
	Conv      weights.Tensor // [W, 3, patch, patch]
	Class     tensor.Dense   // [W]
	Positions tensor.Dense   // [1+g·g, W], row 0 for the class token
	Pre, Post weights.Norm
	Blocks    []Block
	Proj      weights.Projection // [W] → [E]
}

// Text is the text transformer.
type Text struct {
	tower     Tower
	Tokens    weights.Tensor // [vocabulary, W]
	Positions weights.Tensor // [context, W]
	Blocks    []Block
	Final     weights.Norm
	Proj      weights.Projection
}

// Block is a pre-norm transformer block.
type Block struct {
	LN1, LN2     weights.Norm
	Q, K, V, Out weights.Linear
	Up, Down     weights.Linear // of the MLP
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
	h, err := readHints(filepath.Dir(c.Files[0]))
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
	l := weights.NewLoader(c, "CLIP")
	if err := refuseTrained(l); err != nil {
		return nil, err
	}
	unwrap(l)
	if err := refuseUnsupported(l); err != nil {
		return nil, err
	}
	m := &Model{Config: Config{Assumed: l.Notes()}}
	if l.Has("vision_model.embeddings.class_embedding") {
		huggingFace(l, m)
	} else {
		openAI(l, m)
	}
	if l.Err() != nil {
		return nil, l.Err()
	}
	if err := refuseUnused(l); err != nil {
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
