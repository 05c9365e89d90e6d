package clip

import (
	"fmt"
	"strings"

	"ovbench/runners/checkpoint"
	"ovbench/runners/vit"
)

// Config is the shape of a CLIP model. What weights can tell is inferred from their shapes; heads,
// activation and eps come from config.json where there is one.
type Config struct {
	Family  string    // "" for CLIP and its kin, else SigLIP, PE-Core or MetaCLIP 2
	Embed   int       // dimension of the shared space
	Image   int       // native side in pixels
	Patch   int       // pixels of a token's side: the patch, or 32 for a ResNet
	Vision  vit.Shape // of a ResNet: width of the stem, heads of the attention pool; Layers and MLP are 0
	Stages  [4]int    // bottleneck blocks of a ResNet
	Text    vit.Shape
	Vocab   int // token ids
	Context int // tokens of a text
	// Pixels is how the model wants its pixels normalised, Filter and Fit how its authors bring pictures to its size.
	Pixels vit.Normalization
	Filter Filter
	Fit    Resize
	// Assumed lists what neither shapes nor a configuration could tell, in words for the user.
	Assumed []string
}

// Name is the architecture in the field's spelling, such as ViT-B/16, or a description of an unknown shape.
func (c Config) Name() string {
	if c.Stages != ([4]int{}) {
		for name, s := range map[string]struct {
			stages [4]int
			width  int
		}{
			"RN50": {[4]int{3, 4, 6, 3}, 64}, "RN101": {[4]int{3, 4, 23, 3}, 64}, "RN50x4": {[4]int{4, 6, 10, 6}, 80},
			"RN50x16": {[4]int{6, 8, 18, 8}, 96}, "RN50x64": {[4]int{3, 15, 36, 10}, 128},
		} {
			if s.stages == c.Stages && s.width == c.Vision.Width {
				return name
			}
		}
		return fmt.Sprintf("ResNet%v width %d", c.Stages, c.Vision.Width)
	}
	size := map[[2]int]string{{192, 12}: "T", {384, 12}: "S", {1152, 27}: "SO400M", {1536, 40}: "giant-opt",
		{1536, 50}: "G", {768, 12}: "B", {1024, 24}: "L", {1280, 32}: "H", {1408, 40}: "g",
		{1664, 48}: "bigG"}[[2]int{c.Vision.Width, c.Vision.Layers}]
	if size == "" {
		return strings.TrimSpace(fmt.Sprintf("%s ViT width %d depth %d patch %d", c.Family, c.Vision.Width, c.Vision.Layers,
			c.Patch))
	}
	name := fmt.Sprintf("ViT-%s/%d", size, c.Patch)
	if c.Family != "" {
		name = c.Family + " " + name
	}
	if c.Image != 224 {
		name += fmt.Sprintf("@%dpx", c.Image)
	}
	return name
}

// imageHeads are the heads of image towers that are not 64 wide, by width and depth: open_clip's H, g, bigG and e, and
// those of SigLIP and PE-Core.
var imageHeads = map[[2]int]int{
	{1280, 32}: 16, {1408, 40}: 16, {1664, 48}: 16, {1792, 56}: 16, {1152, 27}: 16, {1536, 40}: 16, {1536, 50}: 16,
}

// belongs says if the configuration is of other weights.
func (h hints) belongs(c Config) error {
	if h.visionImage != 0 && h.visionImage != c.Image || h.visionSize != 0 && h.visionSize != c.Vision.Width {
		return fmt.Errorf("the weights are of %d px and width %d, but %s says %d px and width %d: it belongs to another "+
			"model",
			c.Image, c.Vision.Width, h.file, h.visionImage, h.visionSize)
	}
	for i, t := range []vit.Shape{c.Vision, c.Text} {
		if h.layers[i] != 0 && h.layers[i] != t.Layers {
			return fmt.Errorf("the weights have %d layers, but %s says num_hidden_layers %d, and transformers computes no "+
				"more: mend one of them", t.Layers, h.file, h.layers[i])
		}
	}
	return nil
}

// tower fills in what shapes cannot tell.
func (c *Config) tower(what string, t *vit.Shape, heads int, act vit.Activation, eps float32,
	source checkpoint.Format) error {
	if heads != 0 && t.Width%heads == 0 {
		t.Heads = heads
	} else if heads != 0 {
		return fmt.Errorf("%s width %d cannot be split into the %d heads its configuration names", what, t.Width, heads)
	} else {
		known, ok := imageHeads[[2]int{t.Width, t.Layers}]
		const remedy = "put the model's config.json or open_clip_config.json beside the weights, it names the heads"
		switch {
		case what == "image" && ok:
			t.Heads = known
		case t.Width%64 != 0:
			return fmt.Errorf("%s width %d is no multiple of the usual head width 64: %s", what, t.Width, remedy)
		case what == "image" && t.Width > 1024:
			return fmt.Errorf("the heads of an image tower of width %d and depth %d are not known: %s", t.Width, t.Layers,
				remedy)
		default:
			t.Heads = t.Width / 64
			if source != checkpoint.TorchScript { // OpenAI's own archives leave no doubt
				c.Assumed = append(c.Assumed, fmt.Sprintf("%s heads %d, of 64 channels each: the checkpoint does not name them",
					what, t.Heads))
			}
		}
	}
	t.Eps = eps
	if t.Eps == 0 {
		t.Eps = 1e-5
	}
	t.Activation = act
	if act == "" {
		t.Activation = vit.QuickGELU
		if source != checkpoint.TorchScript {
			c.Assumed = append(c.Assumed,
				fmt.Sprintf("%s activation quick_gelu (OpenAI's): the checkpoint does not name one; LAION and DataComp weights "+
					"need --activation gelu", what))
		}
	}
	return nil
}
