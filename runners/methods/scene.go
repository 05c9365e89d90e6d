package methods

import (
	"cmp"
	"errors"
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// ImageText is an image-text model as methods and runners see it; clip.Model is one.
type ImageText interface {
	Source() string // where it lies, for messages
	Name() string   // of its architecture
	Space() int     // width E of the space that images and texts share
	Encoder() vit.Encoder
	CosineScale() float64 // factor of cosines before a softmax over texts, CLIP's logit scale
}

// Transformer is an encoder whose blocks a method may go into.
type Transformer interface {
	Transformer() *vit.Tower
	// Project takes tokens [B, n, W] through the last LayerNorm and the projection to [B, n, E]; a tower whose global
	// token is made by a pool of all tokens takes each through it in the given form.
	Project(g *onnx.Graph, x onnx.Value, form vit.PoolForm) onnx.Value
	// Global is the picture's embedding [B, 1, E] for all tokens [B, Lead+N, W] behind the last block.
	Global(g *onnx.Graph, x onnx.Value) onnx.Value
}

// Models are the networks that a method may read.
type Models struct {
	ImageText
	// Backbones are networks beside it, by the names that [Traits.Backbones] asks for: "dino", "sam".
	Backbones map[string]Backbone
}

// Backbone is a network beside the image-text model whose patches methods read: a [vit.Tower], or a [sam.Backbone].
type Backbone interface {
	// Label begins the names of its tables and symbols; networks of one graph have labels of their own.
	Label() string
	// Grid is the number of patches, rows by columns, of an image of height x width pixels.
	Grid(height, width int) (rows, cols int)
	// Multiple is the pixels of a patch's side, or 1 where any size does.
	Multiple() int
	// Patches is the number of patches N of pictures rgb [B, 3, H, W], or its symbol.
	Patches(g *onnx.Graph, rgb onnx.Value) int
	// Features are the network's last features of patches [B, N, W] for rgb, 0..255. p is the interpolation of positions
	// where the network has no rule of its own.
	Features(g *onnx.Graph, rgb onnx.Value, p vit.Interpolation) onnx.Value
}

// blocks is the backbone of that name as a transformer whose blocks a method goes into, or why it is none.
func (m Models) blocks(method, name string) (*vit.Tower, error) {
	t, ok := m.Backbones[name].(*vit.Tower)
	if !ok && m.Backbones[name] != nil {
		return nil, fmt.Errorf("%s: its backbone %s goes into the blocks of DINO or DINOv2, which %T has not", method, name,
			m.Backbones[name])
	}
	return t, nil
}

// segmenter is the backbone of that name as Segment Anything's image encoder, or why it is none.
func (m Models) segmenter(method string) (*sam.Backbone, error) {
	e, ok := m.Backbones[samBackbone].(*sam.Backbone)
	if !ok && m.Backbones[samBackbone] != nil {
		return nil, fmt.Errorf("%s: its backbone %s is no Segment Anything", method, samBackbone)
	}
	return e, nil
}

// The names by which methods ask for a self-supervised vision transformer, and for Segment Anything's image encoder.
const dinoBackbone, samBackbone = "dino", "sam"

// transformer is the image tower, or why it has no blocks.
func (m Models) transformer() (Transformer, error) {
	t, ok := m.Encoder().(Transformer)
	if !ok {
		return nil, fmt.Errorf("%s is the ResNet %s, which has no transformer blocks: the methods for it are clip, "+
			"clip_surgery, raw_attention, gradcam and gscorecam", m.Source(), m.Name())
	}
	return t, nil
}

// Scene is a graph under construction, with what a method may use.
type Scene struct {
	*onnx.Graph
	Models
	RGB       onnx.Value // pictures [B, 3, H, W] as they are, 0..255; towers normalise them for themselves
	Texts     onnx.Value // [T, E], normalised; absent where tokens are wanted
	Asked     onnx.Value // [A] int64: the texts that steer methods; others are only measured
	Explained onnx.Value // [K] int64: those of Asked of which methods that explain give values
	Positions vit.Interpolation
	// Regions are for methods that read masks ([Traits.Regions]): 1 where a patch of the network dino lies in a region of
	// its picture, [B, N, R], and all 0 in none.
	Regions onnx.Value
}

// Tower is the image tower of the scene, which has blocks, with its way into the space of texts.
type Tower struct {
	*vit.Tower
	Transformer
}

// Tower is the image-text model's, which [Method.Check] has found to have blocks.
func (s *Scene) Tower() Tower {
	t, err := s.transformer()
	if err != nil {
		panic(err)
	}
	tower := t.Transformer()
	if s.RGB.Present() {
		tower = tower.On(s.RGB)
	}
	return Tower{tower, t}
}

// Global is the embedding [B, 1, E] of the picture that the unchanged model gives.
func (s *Scene) Global() onnx.Value {
	t := s.Tower()
	if last := t.Depth() - 1; t.Pool == nil {
		return t.Project(s.Graph, t.ClassBlock(s.Graph, last, s.Before(last)), vit.ByValue)
	}
	return t.Global(s.Graph, s.Before(t.Depth()))
}

// Project is the reading of tokens x [B, Lead+N, W] behind the last block. The global token is their own class token;
// where the model has a pool instead, it is the unchanged model's.
func (s *Scene) Project(x onnx.Value) Reading { return s.projectAs(x, vit.ByValue) }

func (s *Scene) projectAs(x onnx.Value, form vit.PoolForm) Reading {
	t := s.Tower()
	if t.Pool == nil {
		return s.Tokens(t.Project(s.Graph, x, form))
	}
	return Reading{Global: s.Global(), Patches: t.Project(s.Graph, t.PatchTokens(s.Graph, x), form)}
}

// Before are the tokens [B, 1+N, W] of the image-text model that block i, from 0, takes.
func (s *Scene) Before(i int) onnx.Value {
	return s.Tower().Before(s.Graph, s.RGB, s.Positions, i)
}

// Tokens is the reading of projected tokens [B, 1+N, E], the global one first.
func (s *Scene) Tokens(x onnx.Value) Reading {
	return Reading{Global: s.Slice(x, 1, 0, 1), Patches: s.Slice(x, 1, 1, onnx.End)}
}

// Cosines are those of tokens [B, n, E] with the scene's texts: [B, n, T].
func (s *Scene) Cosines(x onnx.Value) onnx.Value {
	return s.Linear(s.L2Normalize(x), s.Texts, onnx.Value{})
}

// Resized are patches [B, N, W] of the image-text model, bilinearly interpolated to the grid of another network: [B,
// N', W].
func (s *Scene) Resized(x onnx.Value, to Backbone) onnx.Value {
	from := s.Encoder()
	table := s.Table(to.Label()+"resized", s.RGB, func(h, w int) tensor.Dense {
		rows, cols := from.Grid(h, w)
		r, c := to.Grid(h, w)
		out := tensor.New(1, r*c, rows*cols)
		resample.BilinearCells(out.Data, c, r, identity(rows*cols).Data, cols, rows, rows*cols)
		return out
	}, 1, to.Patches(s.Graph, s.RGB), x.Shape()[1])
	return s.MatMul(table, x)
}

// OnGrid is a reading whose patches are on the grid of another network beside the image-text model's; padding suits
// both.
func (s *Scene) OnGrid(r Reading, t Backbone) Reading {
	r.Grid = t.Grid
	a, b := s.Encoder().Multiple(), t.Multiple()
	for b > 0 {
		a, b = b, a%b
	}
	r.Multiple = s.Encoder().Multiple() / a * t.Multiple()
	return r
}

// Reading is what a method gives.
type Reading struct {
	// Global is the token of the whole picture [B, 1, E], projected, un-normalised. It may be absent.
	Global onnx.Value
	// Patches are tokens [B, N, E] like it; or, if Scored, values [B, N, T]: how much each patch answers to each of the
	// scene's texts, whatever the other texts are. Methods that explain ([Traits.Explains]) give values [B, N, K] of the
	// explained texts alone, without a global token.
	Patches onnx.Value
	Scored  bool
	// Wide says that the graph holds, for every explained text, values of all pairs of patches.
	Wide bool
	// Grid is the number of patches of an image of height x width pixels; nil is the image-text model's.
	Grid func(height, width int) (rows, cols int)
	// Multiple is what the sides of padded windows are multiples of, in pixels; 0 is the image-text model's.
	Multiple int
	// Next is a second graph, whose reading takes the place of this one.
	Next *Stage
	// Whole is a graph behind that, over all windows of a picture at once.
	Whole *Whole
}

// Whole is a graph over the patches of all windows of a picture at once, which has the last word on what they answer to
// texts. It runs for every set of texts by itself; what is before it runs once a picture.
type Whole struct {
	// Keep is a value of the first graph with a row for every patch of the reading: [B, N, W].
	Keep onnx.Value
	// Pairs adds a graph over what was kept of all windows, [w, N, W]; nil is none.
	Pairs func(g *onnx.Graph, keep onnx.Value) onnx.Value
	// Segmenter adds to the image encoder of a segmenter, which sees the picture as it was read, what Read takes as
	// Patches.Relation. cells are the numbers of the m cells of its grid that lie in the picture: [m], int64. The result
	// is then on these cells, in place of the windows' patches. nil is none.
	Segmenter func(g *onnx.Graph, pixels, cells onnx.Value) onnx.Value
	Enlarge   int // multiple to which the picture's sides are enlarged for the segmenter (OpenCV); 0 leaves them
	Parts     int // of the picture, side by side, which the segmenter sees one by one, as Read does; 0 is 1
	// Prepare gives what Read takes besides, in the order in which Read declares it.
	Prepare func(l Layout) []tensor.Dense
	// Read gives new values [n, T], or [m, T] on the segmenter's cells. The scene has texts, and no pictures.
	Read func(s *Scene, p Patches) onnx.Value
	// Sharpen changes maps stitched of all windows, [H·W, T] at the pixels of the network's input rgb [1, 3, H, W], in
	// place. nil leaves what Read gave.
	Sharpen func(rgb, maps tensor.Dense) error
}

// Patches are the n patches of all w windows of a picture, window by window.
type Patches struct {
	Keep     onnx.Value // [w, N, W]
	Values   onnx.Value // [n, T]: cosines or scores
	Relation onnx.Value // what Whole.Segmenter gave
}

// Layout is where the patches of a picture's windows lie.
type Layout struct {
	Height, Width int          // of the network's input, in pixels
	Windows       []Place      // padded
	Rows, Cols    int          // of each window's patches
	Pairs         tensor.Dense // what Whole.Pairs gave, to be changed at will
	Cells         [2]int       // rows and columns of the segmenter's cells in the part of the picture
	Part, Parts   int          // which of how many
}

// Place is a rectangle of the network's input, in pixels.
type Place struct{ Top, Left, Height, Width int }

// Values are what a graph gives for the reading: with texts, cosines of tokens, or the scores; else the tokens. The
// global one comes first, if there is one.
func (s *Scene) Values(r Reading) onnx.Value {
	compare := func(x onnx.Value) onnx.Value {
		if !s.Texts.Present() {
			return x
		}
		return s.Cosines(x)
	}
	switch {
	case r.Scored && r.Global.Present():
		return s.Concat(1, compare(r.Global), r.Patches)
	case r.Scored:
		return r.Patches
	case r.Global.Present():
		return compare(s.Concat(1, r.Global, r.Patches))
	}
	return compare(r.Patches)
}

// Stage is the second graph of a method, with a step in Go before it. It runs for every set of texts by itself, so that
// what a method says of a text may depend on the texts beside it.
type Stage struct {
	// Keep are values of the first graph that the second one takes up. Their first axis is the batch; what is of
	// explained texts has them along its last.
	Keep []onnx.Value
	// Prepare gives what the second graph takes besides, in the order in which Read declares it.
	Prepare func(First) []tensor.Dense
	// Read adds the second graph: kept are inputs in the place of Keep. It declares inputs of its own with
	// [onnx.Graph.Input]. The scene has no pictures. The result is on the grid of the first graph's reading, with a global
	// token if that has one.
	Read func(s *Scene, kept []onnx.Value) Reading
	// Texts bounds the texts of one run of the second graph; 0 is all of a set.
	Texts int
	// Search, in the place of Prepare, runs the second graph as often as it likes, for methods that show it changed
	// pictures. What the second graph takes are the explained texts and what Read declares; kept is empty.
	Search func(Found) (tensor.Dense, error)
}

// Found is what is known between the graphs of a method that searches.
type Found struct {
	RGB        tensor.Dense // pictures [B, 3, H, W], 0..255
	Rows, Cols int
	Kept       []tensor.Dense // the values of Keep
	// Run is the second graph: its inputs as Read declares them, each of P rows, and its values [P, n, K].
	Run func(rows, n int, in ...tensor.Dense) (tensor.Dense, error)
}

// First is what is known between the graphs of a method.
type First struct {
	RGB        tensor.Dense // pictures [B, 3, H, W], 0..255
	Rows, Cols int
	Patches    tensor.Dense // [B, Rows·Cols, T]: cosines or scores of the first graph
}

// needBlocks refuses an image tower without blocks.
func needBlocks(method string, m Models) (*vit.Tower, error) {
	t, err := m.transformer()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return t.Transformer(), nil
}

// fetch says where a network that a method reads is to be had: the one that its authors take.
func fetch(m Method, backbone string) string {
	from := ""
	switch backbone {
	case samBackbone:
		from = "facebook/sam-vit-base"
	case dinoBackbone:
		from = "facebook/dino-vitb8"
		switch m.(type) {
		case *LPOSS, *LPOSSPlus, *Trident:
			from = "facebook/dino-vitb16"
		}
	default:
		return ""
	}
	return "; fetch one with: ovbench pull " + from
}

// checkForm says why a form of reading tokens through a pool is not known.
func checkForm(method string, form vit.PoolForm) error {
	return oneOf(method, "pool", string(cmp.Or(form, vit.ByValue)), string(vit.ByValue), string(vit.ByHead))
}

// CheckBackbones says which networks a method needs that are not there.
func CheckBackbones(name string, m Method, given map[string]Backbone) error {
	var faults []error
	for _, b := range m.Traits().Backbones {
		if given[b] == nil {
			faults = append(faults, fmt.Errorf("method %s reads a second network, %s: name one with --backbone %s=PATH, or "+
				"backbones: {%s: PATH} in a suite%s", name, b, b, b, fetch(m, b)))
		}
	}
	return errors.Join(faults...)
}
