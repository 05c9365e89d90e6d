// Package sam answers: how do a picture and prompts become masks?
//
// [Open] reads a Segment Anything model (Kirillov et al., "Segment Anything", ICCV 2023): the authors' .pth files and
// fine-tunes that keep their names, or transformers' SamModel. Every size follows from the tensors. [Load] makes it, or
// a pair of exported ONNX files, a [Segmenter]: a picture is encoded once ([Segmenter.Embed]), and any number of
// prompts, points or boxes, are decoded from that ([Segmenter.Segment]). Each gives four masks with the IoU that the
// model expects of them.
package sam

import (
	"fmt"

	"ovbench/runners/checkpoint"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Model is a SAM checkpoint with its tensors in place. It holds ranges of files, not weights, and is immutable.
type Model struct {
	Config
	Path   string // as given to Open
	Format checkpoint.Format
	Files  []string // all weight files

	encoder encoder
	prompts prompts
	decoder decoder
}

// Config is the sizes of a model.
type Config struct {
	Image int // side of the square input in pixels, 1024 in the released models
	Patch int // 16
	Grid  int // patches a side, 64

	Width, Depth, Heads int // of the image encoder: 768, 12, 12 (ViT-B); 1024, 24, 16 (L); 1280, 32, 16 (H)
	Embed               int // channels of embeddings and prompts, 256
	DecoderHeads        int // 8
	Masks               int // mask tokens: one for clear prompts, then those for ambiguous ones; 4

	Mean, Std [3]float32 // of R, G, B in 0..255
	Notes     []string   // what the files do not say and was assumed
}

// released are the image encoders that the authors published, by width and depth.
var released = map[[2]int]string{{768, 12}: "ViT-B", {1024, 24}: "ViT-L", {1280, 32}: "ViT-H"}

// Name is what the model is called.
func (c Config) Name() string {
	if name, ok := released[[2]int{c.Width, c.Depth}]; ok && c.Patch == 16 {
		return "SAM " + name
	}
	return fmt.Sprintf("SAM of %d blocks of width %d", c.Depth, c.Width)
}

// Low is the side of low-resolution masks, four cells a patch: 256.
func (c Config) Low() int { return 4 * c.Grid }

// EncoderGraph takes pixels [1, 3, S, S], normalised and padded, to the embedding [1, C, n, n] of a grid of n x n
// patches.
func (m *Model) EncoderGraph() *onnx.Graph {
	g := onnx.New()
	pixels := g.Input("pixels", tensor.F32, 1, 3, m.Image, m.Image)
	g.Output("embedding", m.encoder.embed(g, pixels))
	return g
}

// StemGraph takes an embedding [1, C, n, n], to which the dense prompt has been added, to what the decoder makes of it
// before it looks at other prompts: the first inputs of [Model.DecoderGraph].
func (m *Model) StemGraph() *onnx.Graph {
	g := onnx.New()
	s := m.decoder.stemOf(g, g.Input("embedding", tensor.F32, 1, m.Embed, m.Grid, m.Grid))
	for i, v := range []onnx.Value{s.cells, s.keys, s.values, s.queries} {
		g.Output(stemNames[i], v)
	}
	return g
}

var stemNames = [4]string{"cells", "first_keys", "first_values", "first_queries"}

// stemShapes are those of the stem.
func (m *Model) stemShapes() (shapes [4][]int) {
	l := &m.decoder.layers[0]
	for i, width := range [4]int{m.Embed, l.toImage.k.Bias.Shape[0], l.toImage.v.Bias.Shape[0],
		l.toTokens.q.Bias.Shape[0]} {
		shapes[i] = []int{1, m.Grid * m.Grid, width}
	}
	return shapes
}

// DecoderGraph takes what [Model.StemGraph] gives and sparse prompts [1, P, C] to low-resolution logits [1, M, 4n, 4n]
// and expected IoUs [1, M] of the M mask tokens.
func (m *Model) DecoderGraph() *onnx.Graph {
	g := onnx.New()
	var in [4]onnx.Value
	for i, shape := range m.stemShapes() {
		in[i] = g.Input(stemNames[i], tensor.F32, shape...)
	}
	sparse := g.Input("sparse", tensor.F32, 1, g.Symbol("prompts"), m.Embed)
	low, iou := m.decoder.masks(g, stem{in[0], in[1], in[2], in[3]}, sparse)
	g.Output("low_res", low)
	g.Output("iou", iou)
	return g
}

// MaskGraph takes low-resolution logits [1, 1, 4n, 4n] of an earlier mask, or a [Refiner]'s, to the dense prompt [1, C,
// n, n].
func (m *Model) MaskGraph(refines bool) *onnx.Graph {
	g := onnx.New()
	mask := g.Input("mask", tensor.F32, 1, 1, m.Low(), m.Low())
	g.Output("dense", m.prompts.dense(g, mask, refines))
	return g
}
