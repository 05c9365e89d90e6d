package sam

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"ovbench/runners/hub"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Segmenter turns pictures and prompts into masks. Any goroutine may use it; Close it when done.
type Segmenter struct {
	Info
	store   *store // nil unless embeddings are kept
	network network
	options ort.Options
	pixels  string // how pictures are normalised, where that is no constant
}

// network is a model in sessions.
type network interface {
	// shape is the sizes of input and embedding.
	shape() shape
	embed(context.Context, Frame, resample.RGB) (tensor.Dense, error)
	decode(context.Context, *Embedding, Prompt) (low, iou tensor.Dense, err error)
	Close() error
}

// shape is the side of the input in pixels and of the embedding in cells, and the embedding's channels.
type shape struct{ side, grid, channels int }

// Locate finds a segmenter: existing files as they are, or a name in the Hugging Face cache. A pair stays one.
func Locate(name string) (string, error) {
	if name == "" || strings.Contains(name, ",") || strings.HasSuffix(name, ".onnx") {
		return name, nil
	}
	return hub.Locate(name)
}

// Info is what a segmenter's files say.
type Info struct {
	Asked string // how the user named it, if the caller says
	Path  string
	Name  string
	Files []string // of the weights
	Notes []string // what they do not say and was assumed
	Pair  bool     // exported encoder and decoder
}

// Inspect opens what [Load] would load, and loads nothing.
func Inspect(path string) (*Info, error) {
	if encoder, decoder, ok := strings.Cut(path, ","); ok {
		a, err := adoptPair(encoder, decoder)
		if err != nil {
			return nil, err
		}
		return &a.info, nil
	}
	if strings.HasSuffix(path, ".onnx") {
		return nil, errOneFile(path)
	}
	m, err := Open(path)
	if err != nil {
		return nil, err
	}
	return m.info(), nil
}

func (m *Model) info() *Info {
	return &Info{Path: m.Path, Name: m.Name(), Files: m.Files, Notes: m.Notes}
}

func errOneFile(path string) error {
	return fmt.Errorf("%s: an exported segmenter is two files: give encoder.onnx,decoder.onnx", path)
}

// Load opens the segmenter at path and loads it: what [Open] reads, or "encoder.onnx,decoder.onnx". The encoder is
// loaded when the first picture needs it.
func Load(lib *ort.Library, path string, o ort.Options) (*Segmenter, error) {
	if encoder, decoder, ok := strings.Cut(path, ","); ok {
		return loadPair(lib, encoder, decoder, o)
	}
	if strings.HasSuffix(path, ".onnx") {
		return nil, errOneFile(path)
	}
	m, err := Open(path)
	if err != nil {
		return nil, err
	}
	n := &native{model: m}
	n.encoder = lazy(lib, m.Path+", image encoder", m.EncoderGraph, o)
	for i := range n.masks {
		n.masks[i] = lazy(lib, m.Path+", mask prompts", func() *onnx.Graph { return m.MaskGraph(i == 1) }, o)
	}
	n.stem = lazy(lib, m.Path+", stem of the mask decoder", m.StemGraph, o)
	n.decoder = lazy(lib, m.Path+", mask decoder", m.DecoderGraph, o)
	s := &Segmenter{Info: *m.info(), network: n, options: o, pixels: fmt.Sprint(m.Mean, m.Std)}
	if _, err := n.decoder.get(); err != nil {
		return nil, err
	}
	return s, nil
}

// Keep stores embeddings in a folder, by the content of the weight files, how they are run, and the picture: one that
// the folder has is not computed again. Several programs may share a folder.
func (s *Segmenter) Keep(folder string) (err error) {
	h := sha256.New()
	for _, path := range s.Files {
		if err := copyFile(h, path); err != nil {
			return err
		}
	}
	s.store, err = newStore(folder, fmt.Sprintf("%x %v %v %v", h.Sum(nil), s.pixels, s.options.Device,
		s.options.Precision))
	return err
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Close frees the sessions.
func (s *Segmenter) Close() error { return s.network.Close() }

// Embedding is a picture as the decoder reads it: [1, C, n, n]. Any goroutine may use it.
type Embedding struct {
	Frame
	Values tensor.Dense

	once sync.Once // makes the stem, which all prompts without a mask share
	stem []tensor.Dense
	err  error
}

// Embed encodes a picture, or takes its embedding from the store.
func (s *Segmenter) Embed(ctx context.Context, picture resample.RGB) (*Embedding, error) {
	sizes := s.network.shape()
	f, err := newFrame(picture.W, picture.H, sizes.side)
	if err != nil {
		return nil, err
	}
	rgb := f.resized(picture)
	want := []int{1, sizes.channels, sizes.grid, sizes.grid}
	if values, ok := s.store.get(rgb, want); ok {
		return &Embedding{Frame: f, Values: values}, nil
	}
	values, err := s.network.embed(ctx, f, rgb)
	if err != nil {
		return nil, err
	}
	return &Embedding{Frame: f, Values: values}, s.store.put(rgb, values)
}

// Masks are the answers to one prompt: low-resolution logits [M, 4n, 4n] and the IoU that the model expects of each.
// Mask 0 is the one for clear prompts, the others are for ambiguous ones; with a single mask there is nothing to
// choose.
type Masks struct {
	Frame
	Low tensor.Dense
	IoU []float32
}

// Segment decodes a prompt, in pixels of the picture.
func (s *Segmenter) Segment(ctx context.Context, e *Embedding, p Prompt) (*Masks, error) {
	if err := p.Check(e.Width, e.Height); err != nil {
		return nil, err
	}
	low, iou, err := s.network.decode(ctx, e, p)
	if err != nil {
		return nil, err
	}
	for _, x := range [][]float32{iou.Data, low.Data} {
		if slices.ContainsFunc(x, func(v float32) bool { return v-v != 0 }) {
			return nil, fmt.Errorf("%s gives NaN or infinity: the weights hold such values, or are too large for the precision",
				s.Path)
		}
	}
	return &Masks{e.Frame, low, iou.Data}, nil
}

// Best is the mask of the highest expected IoU, the first of equal ones. Mask 0 is left out where there are others, as
// the authors do for ambiguous prompts.
func (m *Masks) Best() int {
	best := min(1, len(m.IoU)-1)
	for i := best + 1; i < len(m.IoU); i++ {
		if m.IoU[i] > m.IoU[best] {
			best = i
		}
	}
	return best
}

// Mask is mask i at the size of the picture, rows of 0 and 1: where the upsampled logits are above 0.
func (m *Masks) Mask(i int) []uint8 {
	out := make([]uint8, m.Width*m.Height)
	m.upsampling(m.Low.Shape[1]).Rows(m.Low.At(i).Data, func(y int, row []float32) {
		to := out[y*m.Width:][:len(row)]
		for x, v := range row {
			if v > 0 {
				to[x] = 1
			}
		}
	})
	return out
}

// native is a model whose graphs were built here.
type native struct {
	model                  *Model
	encoder, stem, decoder *session
	masks                  [2]*session // earlier masks, and those of refiners
}

func (n *native) shape() shape { return shape{n.model.Image, n.model.Grid, n.model.Embed} }

func (n *native) embed(ctx context.Context, f Frame, rgb resample.RGB) (tensor.Dense, error) {
	m := n.model
	out := tensor.New(1, m.Embed, m.Grid, m.Grid)
	return out, n.encoder.run(ctx, []tensor.Dense{f.pixels(rgb, m.Mean, m.Std)}, out)
}

func (n *native) decode(ctx context.Context, e *Embedding, p Prompt) (low, iou tensor.Dense, err error) {
	m := n.model
	var stem []tensor.Dense
	if p.Mask != nil {
		stem, err = n.stemOf(ctx, e, p)
	} else {
		e.once.Do(func() { e.stem, e.err = n.stemOf(context.WithoutCancel(ctx), e, Prompt{}) })
		stem, err = e.stem, e.err
	}
	if err != nil {
		return low, iou, err
	}
	low, iou = tensor.New(1, m.Masks, m.Low(), m.Low()), tensor.New(1, m.Masks)
	err = n.decoder.run(ctx, append(slices.Clone(stem), m.prompts.sparse(e.list(p), m.Image)), low, iou)
	return low.At(0), iou, err
}

// stemOf is what the decoder makes of an embedding, with or without a prompt's mask.
func (n *native) stemOf(ctx context.Context, e *Embedding, p Prompt) ([]tensor.Dense, error) {
	m := n.model
	dense, err := n.dense(ctx, p)
	if err != nil {
		return nil, err
	}
	keys := tensor.New(e.Values.Shape...)
	cells := m.Grid * m.Grid
	for i, v := range e.Values.Data {
		if dense.Data != nil {
			keys.Data[i] = v + dense.Data[i]
		} else {
			keys.Data[i] = v + m.prompts.noMask[i/cells]
		}
	}
	var out []tensor.Dense
	for _, shape := range m.stemShapes() {
		out = append(out, tensor.New(shape...))
	}
	return out, n.stem.run(ctx, []tensor.Dense{keys}, out...)
}

// dense is a mask's part of a prompt, empty without one.
func (n *native) dense(ctx context.Context, p Prompt) (out tensor.Dense, err error) {
	m := n.model
	if p.Mask == nil {
		return out, nil
	}
	if len(p.Mask) != m.Low()*m.Low() {
		return out, fmt.Errorf("the prompt's mask has %d logits, want %d x %d", len(p.Mask), m.Low(), m.Low())
	}
	masks := n.masks[0]
	if p.refines {
		masks = n.masks[1]
	}
	out = tensor.New(1, m.Embed, m.Grid, m.Grid)
	return out, masks.run(ctx, []tensor.Dense{{Shape: []int{1, 1, m.Low(), m.Low()}, Data: p.Mask}}, out)
}

func (n *native) Close() error {
	return errors.Join(n.encoder.Close(), n.masks[0].Close(), n.masks[1].Close(), n.stem.Close(), n.decoder.Close())
}

// session is loaded when it is first needed.
type session struct {
	open   func() (*ort.Session, error)
	once   sync.Once
	loaded *ort.Session
	err    error
}

func lazy(lib *ort.Library, name string, graph func() *onnx.Graph, o ort.Options) *session {
	return &session{open: func() (*ort.Session, error) {
		model, err := graph().Model()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return lib.NewSession(name, model, o)
	}}
}

func (s *session) get() (*ort.Session, error) {
	s.once.Do(func() { s.loaded, s.err = s.open() })
	return s.loaded, s.err
}

func (s *session) run(ctx context.Context, in []tensor.Dense, out ...tensor.Dense) error {
	loaded, err := s.get()
	if err != nil {
		return err
	}
	return loaded.Run(ctx, values(in), values(out))
}

func values(ds []tensor.Dense) []ort.Value {
	out := make([]ort.Value, len(ds))
	for i, d := range ds {
		out[i] = ort.Float32(d.Shape, d.Data)
	}
	return out
}

// Close frees the session, which then cannot be loaded any more.
func (s *session) Close() error {
	s.once.Do(func() { s.err = errors.New("the segmenter is closed") })
	if s.loaded == nil {
		return nil
	}
	return s.loaded.Close()
}
