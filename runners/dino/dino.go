// Package dino answers: how does a DINO or DINOv2 checkpoint become a vision tower?
//
// [Open] reads the files of torch.hub and Hugging Face directories, with their names, and fills in a [vit.Tower]: a
// bias of the patches, no LayerNorm before the blocks, exact GELU and eps 1e-6; DINOv2's LayerScale and registers where
// they are. Positions are read on other grids as the models of torch.hub do, from which methods load them, whatever
// file the weights come from.
//
// The models are those of Caron et al. (arXiv 2104.14294), Oquab et al. (2304.07193) and Darcet et al. (2309.16588).
package dino

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/runners/checkpoint"
	"ovbench/runners/files"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// Model is a checkpoint with its tensors in place. It holds ranges of files, not weights, and is immutable.
type Model struct {
	Path   string
	Format checkpoint.Format
	Files  []string // all weight files
	Image  int      // pixels of a side that the positions are of
	Tower  vit.Tower
	// Assumed lists what neither shapes nor a configuration could tell, and what is left out, in words for the user.
	Assumed []string
}

// Name is the architecture in the field's spelling, such as DINO ViT-B/8 or DINOv2 ViT-B/14 with 4 registers.
func (m *Model) Name() string {
	t := &m.Tower
	name := "DINO"
	if t.Blocks[0].Scale1 != nil {
		name = "DINOv2"
	}
	size := map[[2]int]string{{384, 12}: "S", {768, 12}: "B", {1024, 24}: "L"}[[2]int{t.Width, t.Depth()}]
	if size == "" {
		name += fmt.Sprintf(" ViT width %d depth %d patch %d", t.Width, t.Depth(), t.Patch)
	} else {
		name += fmt.Sprintf(" ViT-%s/%d", size, t.Patch)
	}
	if r := t.Lead() - 1; r > 0 {
		name += fmt.Sprintf(" with %d registers", r)
	}
	return name
}

// Open reads the model at path: a .pth of torch.hub, or a Hugging Face directory. role begins the names of the tower's
// tables, so that it may stand beside others in a graph.
func Open(path, role string) (*Model, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	heads, err := readHeads(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Path: path, Format: c.Format, Files: c.Files}
	if err := m.assemble(weights.NewLoader(c, "DINO"), heads); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.Tower.Prefix = role + "."
	return m, nil
}

// readHeads is the number of heads that config.json of a checkpoint names; 0 without one. Beside a single file it may be
// of another model.
func readHeads(path string) (int, error) {
	info, err := os.Stat(path)
	own := err == nil && info.IsDir()
	if !own {
		path = filepath.Dir(path)
	}
	path = filepath.Join(path, "config.json")
	var c struct {
		Type  string `json:"model_type"`
		Heads *int   `json:"num_attention_heads"`
		FFN   bool   `json:"use_swiglu_ffn"`
	}
	found, err := files.ReadJSON(path, &c)
	other := c.Type != "" && c.Type != "vit" && c.Type != "dinov2" && c.Type != "dinov2_with_registers"
	switch {
	case !own && (err != nil || other):
		return 0, nil
	case err != nil || !found:
		return 0, err
	case c.FFN:
		return 0, fmt.Errorf("%s: SwiGLU (DINOv2 giant) is not supported; take small, base or large", path)
	case other:
		return 0, fmt.Errorf("%s: model_type %q is no DINO: want vit, dinov2 or dinov2_with_registers", path, c.Type)
	case c.Heads == nil:
		return 0, nil
	case *c.Heads < 1:
		return 0, fmt.Errorf("%s: num_attention_heads %d is not positive", path, *c.Heads)
	}
	return *c.Heads, nil
}

// naming is what one family of files calls the tensors.
type naming struct {
	class, registers, positions, patch, final string
	blocks, ln1, ln2, out, up, down           string
	scale1, scale2                            string
	qkv                                       string // fused; or, with %s, each by itself
}

var (
	hub = naming{
		class: "cls_token", registers: "register_tokens", positions: "pos_embed", patch: "patch_embed.proj", final: "norm",
		blocks: "blocks", ln1: "norm1", ln2: "norm2", qkv: "attn.qkv", out: "attn.proj", up: "mlp.fc1", down: "mlp.fc2",
		scale1: "ls1.gamma", scale2: "ls2.gamma",
	}
	transformers = naming{
		class: "embeddings.cls_token", registers: "embeddings.register_tokens", positions: "embeddings.position_embeddings",
		patch: "embeddings.patch_embeddings.projection", final: "layernorm", blocks: "encoder.layer", ln1: "norm1",
		ln2: "norm2",
		qkv: "attention.attention.%s", out: "attention.output.dense", up: "mlp.fc1", down: "mlp.fc2",
		scale1: "layer_scale1.lambda1", scale2: "layer_scale2.lambda1",
	}
)

// names finds out which naming a checkpoint has. Transformers' ViTModel, which holds DINO, differs from its Dinov2Model
// in its blocks.
func names(l *weights.Loader) (naming, error) {
	// Checkpoints of training hold a student and a teacher, of which the teacher is the model.
	if slices.ContainsFunc(l.Names(), func(name string) bool { return strings.HasPrefix(name, "teacher.") }) {
		l.Rename(func(name string) string {
			if rest, ok := strings.CutPrefix(name, "teacher."); ok {
				return rest
			}
			return "momentum." + name
		})
	}
	if l.Has("vit.embeddings.cls_token") && l.Has("classifier.weight") {
		return naming{}, fmt.Errorf("tensor classifier.weight: a ViT trained to classify is no DINO, and wants other pixels")
	}
	l.Unwrap([]string{hub.patch + ".weight", transformers.patch + ".weight"}, nil)
	switch {
	case l.Has(hub.class):
		return hub, nil
	case l.Has(transformers.class):
		n := transformers
		if l.Has("encoder.layer.0.layernorm_before.weight") {
			n.ln1, n.ln2, n.up, n.down = "layernorm_before", "layernorm_after", "intermediate.dense", "output.dense"
		}
		return n, nil
	}
	return naming{}, fmt.Errorf("tensor %s is missing: this is no DINO or DINOv2 checkpoint (DINO ViT-S/8, S/16, B/8, "+
		"B/16; DINOv2 S, B, L /14, with or without registers)", hub.class)
}

// eps is that of all LayerNorms in the authors' code. Transformers' conversion of DINO says 1e-12, which nobody trained
// with.
const eps = 1e-6

// usualHeads are those of a model of a width: heads are 64 wide in all released models.
func (m *Model) usualHeads(width int) int {
	if width >= 192 && width%64 == 0 {
		return width / 64
	}
	heads := max(width/16, 1)
	m.Assumed = append(m.Assumed,
		fmt.Sprintf("%d heads for a width of %d, which no released DINO has: a config.json beside the checkpoint names them",
			heads, width))
	return heads
}

// assemble gives tensors their places.
func (m *Model) assemble(l *weights.Loader, heads int) error {
	n, err := names(l)
	if err != nil {
		return err
	}
	m.Assumed = l.Notes()
	if l.Has(n.blocks+".0.mlp.w12.weight") || l.Has(n.blocks+".0.mlp.weights_in.weight") {
		return fmt.Errorf("SwiGLU (DINOv2 giant) is not supported; take small, base or large")
	}
	conv := l.Any(n.patch+".weight", 4)
	positions := l.Any(n.positions, 3)
	if l.Err() != nil {
		return l.Err()
	}
	width, patch := conv.Shape[0], conv.Shape[2]
	if heads == 0 {
		heads = m.usualHeads(width)
	}
	if width%heads != 0 {
		return fmt.Errorf("width %d cannot be split into the %d heads its configuration names", width, heads)
	}
	m.Image = patch * l.Side(n.positions, positions.Shape[1], 1)
	t := &m.Tower
	*t = vit.Tower{
		Patch: patch, Pixels: vit.ImageNet, Rule: vit.Bicubic,
		Conv: weights.Linear{Weight: l.Take(n.patch+".weight", width, 3, patch, patch), Bias: l.Take(n.patch+".bias",
			width)},
		Class: l.Read(n.class, 1, 1, width), Positions: l.Read(n.positions, 1, positions.Shape[1], width),
		Post: l.Norm(n.final, width),
	}
	t.Class.Shape, t.Positions.Shape = []int{width}, []int{positions.Shape[1], width}
	if l.Has(n.registers) {
		count := l.Any(n.registers, 3)
		if l.Err() == nil {
			t.Registers = l.Read(n.registers, 1, count.Shape[1], width)
			t.Registers.Shape = t.Registers.Shape[1:]
		}
		t.Rule = vit.BicubicAntialias // the models with registers were the first to have it
	}
	t.Blocks = weights.Blocks(l, n.blocks, func(p string) vit.Block { return n.block(l, p, width) })
	if l.Err() != nil {
		return l.Err()
	}
	t.Shape = vit.Shape{Width: width, Layers: len(t.Blocks), Heads: heads, MLP: t.Blocks[0].Up.Bias.Shape[0],
		Activation: vit.GELU, Eps: eps}
	for _, left := range l.Left() {
		if strings.HasPrefix(left, n.blocks) || strings.HasPrefix(left, "embeddings.") &&
			!strings.HasSuffix(left, "mask_token") {
			return fmt.Errorf("tensor %s has no place in DINO's architecture: this model has parts that ovbench does not know",
				left)
		}
	}
	return nil
}

// block loads the block under prefix p.
func (n naming) block(l *weights.Loader, p string, width int) vit.Block {
	mlp := 0
	if up := l.Any(p+"."+n.up+".weight", 2); l.Err() == nil {
		mlp = up.Shape[0]
	}
	b := vit.Block{
		LN1: l.Norm(p+"."+n.ln1, width), LN2: l.Norm(p+"."+n.ln2, width), Out: l.Linear(p+"."+n.out, width, width),
		Up: l.Linear(p+"."+n.up, mlp, width), Down: l.Linear(p+"."+n.down, width, mlp),
	}
	if strings.Contains(n.qkv, "%s") {
		part := func(s string) weights.Linear { return l.Linear(p+"."+fmt.Sprintf(n.qkv, s), width, width) }
		b.Q, b.K, b.V = part("query"), part("key"), part("value")
	} else {
		qkv := l.Fused(p+"."+n.qkv+".weight", p+"."+n.qkv+".bias", width, width, "q", "k", "v")
		b.Q, b.K, b.V = qkv[0], qkv[1], qkv[2]
	}
	if l.Has(p + "." + n.scale1) {
		one, two := l.Take(p+"."+n.scale1, width), l.Take(p+"."+n.scale2, width)
		b.Scale1, b.Scale2 = &one, &two
	}
	return b
}
