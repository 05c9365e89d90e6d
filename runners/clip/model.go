// Package clip answers: what is a CLIP model, and what goes into it?
//
// [Open] finds a model's tensors in any checkpoint form and gives them one structure, [Model], whose
// methods write the two towers as graphs. Around it stand what the towers eat: prompt templates and
// [Input].
//
// The architecture is that of Radford et al., "Learning Transferable Visual Models From Natural
// Language Supervision" (2021), as OpenAI released it.
package clip

import (
	"cmp"
	"fmt"
	"path/filepath"

	"ovbench/runners/checkpoint"
	"ovbench/runners/vit"
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
	LogitBias  float64  // added to scaled cosines by models of a sigmoid loss
	Sigmoid    bool     // a score is the sigmoid of a text's logit, not the softmax over texts

	encoder encoder
	Text    Text
}

// encoder is an image tower, and what package clip does to it while it opens a model.
type encoder interface {
	vit.Encoder
	// complete fills in what shapes cannot tell.
	complete(c *Config, h hints, source checkpoint.Format) error
	// normalised is the encoder on pixels normalised as n.
	normalised(n vit.Normalization) encoder
}

// Source is where the model lies, for messages.
func (m *Model) Source() string { return m.Path }

// Space is the width E of the space that images and texts share.
func (m *Model) Space() int { return m.Embed }

// CosineScale is the logit scale.
func (m *Model) CosineScale() float64 { return m.LogitScale }

// Encoder is the image tower: a [*ViT] or a [*ResNet].
func (m *Model) Encoder() vit.Encoder { return m.encoder }

// Grid is the number of patch tokens, rows by columns, of an image of height x width pixels.
func (m *Model) Grid(height, width int) (rows, cols int) { return m.encoder.Grid(height, width) }

// Normalised is the model on pixels normalised as n, whatever its configuration says.
func (m *Model) Normalised(n vit.Normalization) *Model {
	other := *m
	other.Pixels, other.encoder = n, m.encoder.normalised(n)
	return &other
}

// Option adjusts how a checkpoint is understood.
type Option func(*hints)

// WithActivation overrides the activation of both towers, for checkpoints whose files do not name it.
func WithActivation(a vit.Activation) Option {
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
	place(l, m)
	if l.Err() != nil {
		return nil, l.Err()
	}
	h.fallBack(m)
	if err := refuseUnused(l); err != nil {
		return nil, err
	}
	m.Config.Text = m.Text.Shape
	if err := m.tower("text", &m.Config.Text, h.textHeads, h.textAct, h.textEps, c.Format); err != nil {
		return nil, err
	}
	m.Text.Shape, m.Text.Causal, m.Text.end = m.Config.Text, !h.padded, h.end
	if err := m.encoder.complete(&m.Config, h, c.Format); err != nil {
		return nil, err
	}
	if err := h.belongs(m.Config); err != nil {
		return nil, err
	}
	if m.Pixels = h.pixels; m.Pixels == (vit.Normalization{}) {
		m.Pixels = vit.CLIP
	}
	m.encoder = m.encoder.normalised(m.Pixels)
	if v, ok := m.encoder.(*ViT); ok && v.Pool != nil {
		m.Assumed = append(m.Assumed,
			fmt.Sprintf("patches of %s go through its pool one by one, which is no paper's definition, and positions on other "+
				"grids are read %s, as its library does; thresholds and temperatures chosen for CLIP's cosines do not carry over",
				h.family, v.Rule))
	}
	if m.Sigmoid {
		m.Assumed = append(m.Assumed, fmt.Sprintf("texts are scored each by itself, by a sigmoid of %.4g times the cosine "+
			"%+.4g: the scale of a protocol is of no effect", m.LogitScale, m.LogitBias))
	}
	m.Family, m.Filter, m.Fit = h.family, cmp.Or(h.filter, FilterBicubic), cmp.Or(h.fit, Crop)
	return m, nil
}
