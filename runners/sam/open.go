package sam

import (
	"fmt"
	"os"
	"path/filepath"

	"ovbench/runners/checkpoint"
	"ovbench/runners/files"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// Open reads the model at path: a file with the authors' names for tensors, or a directory of transformers' SamModel.
// All shapes are checked against each other here, so that building graphs cannot fail. Relatives of SAM are refused by
// name.
func Open(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	h, err := readHints(dir, info.IsDir())
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Path: path, Format: c.Format, Files: c.Files}
	if err := m.assemble(weights.NewLoader(c, "SAM"), h); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// assemble gives the checkpoint's tensors their places.
func (m *Model) assemble(l *weights.Loader, h hints) error {
	l.Unwrap([]string{"image_encoder.pos_embed", "vision_encoder.pos_embed"}, nil)
	if err := refuseUnsupported(l); err != nil {
		return err
	}
	t := &layout{Loader: l, huggingFace: l.Has("vision_encoder.pos_embed")}
	m.encoder = t.encoder()
	if err := l.Err(); err != nil {
		return err
	}
	m.Config = m.encoder.config()
	m.Notes = l.Notes()
	m.Embed = m.encoder.neck.conv1.Shape[0]
	m.prompts = t.prompts(m.Embed)
	m.decoder = t.decoder(m.Embed)
	if err := l.Err(); err != nil {
		return err
	}
	if left := l.Left(); len(left) > 0 {
		return fmt.Errorf("tensor %s has no place in SAM's architecture: this model has parts that ovbench does not know",
			left[0])
	}
	m.Masks = m.decoder.tokens.Shape[0]
	if err := m.heads(h); err != nil {
		return err
	}
	m.Mean, m.Std = h.mean, h.std
	m.decoder.grid, m.decoder.heads = m.Grid, m.DecoderHeads
	m.decoder.places = m.prompts.grid(m.Grid)
	return m.Config.check()
}

// check bounds what a file may claim.
func (c Config) check() error {
	const most = 4096 // pixels a side
	if c.Image > most {
		return fmt.Errorf("an input of %d pixels a side is out of range: at most %d are taken", c.Image, most)
	}
	if places := c.Grid * c.Grid * c.Heads * 2 * c.Grid; places > 1<<26 {
		return fmt.Errorf("%d heads on a grid of %d are out of range: SAM has 16 on 64", c.Heads, c.Grid)
	}
	if c.Masks < 2 || c.Masks > 64 {
		return fmt.Errorf("%d mask tokens are out of range: SAM has 4", c.Masks)
	}
	return nil
}

// heads finds those of the decoder, of which no shape tells.
func (m *Model) heads(h hints) error {
	inner := m.decoder.final.q.Weight.Shape[0]
	m.DecoderHeads = h.heads
	switch {
	case h.heads != 0:
	case m.Embed == 256:
		m.DecoderHeads = 8 // as in all that was published
	default:
		m.DecoderHeads = m.Heads
		m.Notes = append(m.Notes,
			fmt.Sprintf("the mask decoder has %d heads as the image encoder: the checkpoint does not say; "+
				"a config.json beside it (mask_decoder_config, num_attention_heads) would", m.Heads))
	}
	if m.DecoderHeads < 1 || inner%m.DecoderHeads != 0 || m.Embed%m.DecoderHeads != 0 {
		return fmt.Errorf("the mask decoder's %d channels cannot be split into %d heads: "+
			"put the model's config.json beside the weights, it names them", inner, m.DecoderHeads)
	}
	return nil
}

// hints are what configuration files say.
type hints struct {
	heads     int // of the mask decoder; 0 if unknown
	mean, std [3]float32
}

// ImageNet's statistics as the authors' code has them, in 0..255.
var (
	defaultMean = [3]float32{123.675, 116.28, 103.53}
	defaultStd  = [3]float32{58.395, 57.12, 57.375}
)

// readHints reads config.json and how pixels are normalised. In the directory of a single file they may be of another
// model.
func readHints(dir string, own bool) (hints, error) {
	h := hints{mean: defaultMean, std: defaultStd}
	var c struct {
		Type    string `json:"model_type"`
		Decoder struct {
			Heads int `json:"num_attention_heads"`
		} `json:"mask_decoder_config"`
	}
	found, err := files.ReadJSON(filepath.Join(dir, "config.json"), &c)
	switch {
	case err != nil && own:
		return h, err
	case err != nil || !found:
		return h, nil
	case c.Type != "sam" && own:
		return h, fmt.Errorf("%s: model_type %q is not supported as a segmenter; ovbench reads \"sam\"",
			filepath.Join(dir, "config.json"), c.Type)
	case c.Type != "sam":
		return h, nil
	}
	if h.heads = c.Decoder.Heads; h.heads == 0 {
		h.heads = 8 // the class's default
	}
	p, path, err := vit.ReadImageProcessor(dir)
	if err != nil || p == nil {
		return h, err
	}
	n, err := p.Normalization(vit.ImageNet)
	if err != nil {
		return h, fmt.Errorf("%s: %w", path, err)
	}
	for c := range 3 {
		h.mean[c], h.std[c] = 255*n.Mean[c], 255*n.Std[c]
	}
	return h, nil
}
