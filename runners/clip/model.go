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
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// loader looks tensors up, checks their shapes and keeps the first fault.
type loader struct {
	tensors map[string]tensor.Ref
	names   []string
	used    map[string]bool
	err     error
}

// unwrap drops prefixes under which wrappers of CLIP keep the model, and gives open_clip's CustomTextCLIP
// the names of CLIP.
func (l *loader) unwrap() {
	rename := func(f func(string) string) {
		out := make(map[string]tensor.Ref, len(l.tensors))
		for name, r := range l.tensors {
			out[f(name)] = r
		}
		l.tensors, l.names = out, nil
		for name := range out {
			l.names = append(l.names, name)
		}
		slices.Sort(l.names)
	}
	for _, prefix := range []string{"model.", "clip.", "clip_model."} {
		_, openai := l.tensors[prefix+"visual.conv1.weight"]
		_, hf := l.tensors[prefix+"vision_model.embeddings.class_embedding"]
		if openai || hf {
			rename(func(s string) string { return strings.TrimPrefix(s, prefix) })
		}
	}
	if _, ok := l.tensors["text.token_embedding.weight"]; ok {
		rename(func(s string) string { return strings.TrimPrefix(s, "text.") })
	}
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// any is a tensor of whatever shape with the given number of axes.
func (l *loader) any(name string, axes int) Tensor {
	if l.err != nil {
		return Tensor{}
	}
	r, ok := l.tensors[name]
	l.used[name] = true
	if !ok {
		l.fail("tensor %s is missing: this is no CLIP checkpoint, or only a part of one", name)
		return Tensor{}
	}
	if len(r.Shape) != axes || slices.Contains(r.Shape, 0) {
		l.fail("tensor %s has shape %v, want %d axes", name, r.Shape, axes)
		return Tensor{}
	}
	if r.DType != tensor.F32 && r.DType != tensor.F16 && r.DType != tensor.BF16 {
		l.fail("tensor %s is of type %v; ovbench reads f32, f16 and bf16", name, r.DType)
		return Tensor{}
	}
	return l.settle(name, r)
}

func (l *loader) settle(name string, r tensor.Ref) Tensor {
	t := Tensor{Name: name, Ref: r}
	if !r.Contiguous() {
		d, err := r.Read()
		if err != nil {
			l.fail("tensor %s: %w", name, err)
		}
		t.Data = &d
	}
	return t
}

func (l *loader) get(name string, shape ...int) Tensor {
	t := l.any(name, len(shape))
	if l.err == nil && !slices.Equal(t.Shape, shape) {
		l.fail("tensor %s has shape %v, want %v", name, t.Shape, shape)
	}
	return t
}

func (l *loader) read(name string, shape ...int) tensor.Dense {
	t := l.get(name, shape...)
	if l.err != nil {
		return tensor.Dense{}
	}
	d, err := t.Read()
	if err != nil {
		l.fail("tensor %s: %w", name, err)
	}
	return d
}

func (l *loader) norm(name string, width int) Norm {
	return Norm{l.get(name+".weight", width), l.get(name+".bias", width)}
}

func (l *loader) linear(name string, out, in int) Linear {
	return Linear{l.get(name+".weight", out, in), l.get(name+".bias", out)}
}

// rows is a part of a fused projection.
func (l *loader) rows(t Tensor, part string, from, to int) Tensor {
	if l.err != nil {
		return Tensor{}
	}
	return l.settle(t.Name+part, t.Rows(from, to))
}

func (l *loader) logitScale(m *Model) {
	m.LogitScale = 100
	if r, ok := l.tensors["logit_scale"]; ok && l.err == nil {
		d, err := r.Read()
		if err != nil || len(d.Data) != 1 {
			l.fail("tensor logit_scale has shape %v, want a single number (%v)", r.Shape, err)
			return
		}
		m.LogitScale = math.Exp(float64(d.Data[0]))
	}
}

// square is the side of a square grid of n cells; it fails for other numbers.
func (l *loader) square(name string, n int) int {
	side := int(math.Sqrt(float64(n)) + 0.5)
	if l.err == nil && (n < 1 || side*side != n) {
		l.fail("tensor %s has %d rows, want 1 + a square number", name, n+1)
	}
	return side
}

func (l *loader) blocks(prefix string, load func(prefix string) Block) []Block {
	if l.err != nil {
		return nil
	}
	n, err := countBlocks(l.names, prefix)
	if err != nil {
		l.fail("%w", err)
	} else if n == 0 {
		l.fail("no tensors under %s: this is no CLIP checkpoint, or only a part of one", prefix)
	}
	out := make([]Block, n)
	for i := range out {
		out[i] = load(fmt.Sprintf("%s.%d", prefix, i))
	}
	return out
}

// openAI places the tensors of OpenAI's and open_clip's naming.
func openAI(l *loader, m *Model) {
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.any(p+".mlp.c_fc.weight", 2); l.err == nil {
				mlp = t.Shape[0]
			}
			w, b := l.get(p+".attn.in_proj_weight", 3*width, width), l.get(p+".attn.in_proj_bias", 3*width)
			part := func(s string, i int) Linear {
				return Linear{l.rows(w, "."+s, i*width, (i+1)*width), l.rows(b, "."+s, i*width, (i+1)*width)}
			}
			return Block{
				LN1: l.norm(p+".ln_1", width), LN2: l.norm(p+".ln_2", width),
				Q: part("q", 0), K: part("k", 1), V: part("v", 2), Out: l.linear(p+".attn.out_proj", width, width),
				Up: l.linear(p+".mlp.c_fc", mlp, width), Down: l.linear(p+".mlp.c_proj", width, mlp),
			}
		}
	}
	tokens := l.any("token_embedding.weight", 2)
	positions := l.any("positional_embedding", 2)
	proj := l.any("text_projection", 2)
	if l.err != nil {
		return
	}
	width := tokens.Shape[1]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[1]
	m.Text = Text{
		Tokens: tokens, Positions: l.get("positional_embedding", m.Context, width),
		Blocks: l.blocks("transformer.resblocks", block(width)), Final: l.norm("ln_final", width),
		Proj: Projection{Weight: l.get("text_projection", width, m.Embed)},
	}
	m.Config.Text = tower(width, m.Text.Blocks)
	l.logitScale(m)
	if _, resnet := l.tensors["visual.attnpool.positional_embedding"]; resnet {
		loadResNet(l, m)
		return
	}
	conv := l.any("visual.conv1.weight", 4)
	vpos := l.any("visual.positional_embedding", 2)
	if l.err != nil {
		return
	}
	w := conv.Shape[0]
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Image = m.Patch * l.square(vpos.Name, vpos.Shape[0]-1)
	m.Vision = &ViT{
		Conv: l.get("visual.conv1.weight", w, 3, m.Patch, m.Patch), Class: l.read("visual.class_embedding", w),
		Positions: l.read("visual.positional_embedding", vpos.Shape[0], w),
		Pre:       l.norm("visual.ln_pre", w), Post: l.norm("visual.ln_post", w),
		Blocks: l.blocks("visual.transformer.resblocks", block(w)),
		Proj:   Projection{Weight: l.get("visual.proj", w, m.Embed)},
	}
	m.Config.Vision = tower(w, m.Vision.Blocks)
}

// huggingFace places the tensors of transformers' CLIPModel.
func huggingFace(l *loader, m *Model) {
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.any(p+".mlp.fc1.weight", 2); l.err == nil {
				mlp = t.Shape[0]
			}
			attn := func(s string) Linear { return l.linear(p+".self_attn."+s, width, width) }
			return Block{
				LN1: l.norm(p+".layer_norm1", width), LN2: l.norm(p+".layer_norm2", width),
				Q: attn("q_proj"), K: attn("k_proj"), V: attn("v_proj"), Out: attn("out_proj"),
				Up: l.linear(p+".mlp.fc1", mlp, width), Down: l.linear(p+".mlp.fc2", width, mlp),
			}
		}
	}
	tokens := l.any("text_model.embeddings.token_embedding.weight", 2)
	positions := l.any("text_model.embeddings.position_embedding.weight", 2)
	proj := l.any("text_projection.weight", 2)
	conv := l.any("vision_model.embeddings.patch_embedding.weight", 4)
	vpos := l.any("vision_model.embeddings.position_embedding.weight", 2)
	if l.err != nil {
		return
	}
	width, w := tokens.Shape[1], conv.Shape[0]
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[0]
	m.Image = m.Patch * l.square(vpos.Name, vpos.Shape[0]-1)
	m.Text = Text{
		Tokens: tokens, Positions: l.get(positions.Name, m.Context, width),
		Blocks: l.blocks("text_model.encoder.layers", block(width)), Final: l.norm("text_model.final_layer_norm", width),
		Proj: Projection{l.get("text_projection.weight", m.Embed, width), true},
	}
	m.Vision = &ViT{
		Conv:  l.get(conv.Name, w, 3, m.Patch, m.Patch),
		Class: l.read("vision_model.embeddings.class_embedding", w), Positions: l.read(vpos.Name, vpos.Shape[0], w),
		Pre: l.norm("vision_model.pre_layrnorm", w), Post: l.norm("vision_model.post_layernorm", w), // the typo is part of the name
		Blocks: l.blocks("vision_model.encoder.layers", block(w)),
		Proj:   Projection{l.get("visual_projection.weight", m.Embed, w), true},
	}
	m.Config.Text, m.Config.Vision = tower(width, m.Text.Blocks), tower(w, m.Vision.Blocks)
	l.logitScale(m)
}

func tower(width int, blocks []Block) Tower {
	t := Tower{Width: width, Layers: len(blocks)}
	if len(blocks) > 0 && len(blocks[0].Up.Bias.Shape) == 1 {
		t.MLP = blocks[0].Up.Bias.Shape[0]
	}
	return t
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
