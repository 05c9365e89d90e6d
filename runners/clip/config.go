package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"ovbench/runners/checkpoint"
)

// Activation is the non-linearity of a tower's MLPs. The two differ by up to 0.02; weights trained with one
// give other numbers with the other.
type Activation string

// The activations of CLIP checkpoints: OpenAI, MetaCLIP and DFN use QuickGELU, LAION and DataComp exact GELU.
const (
	QuickGELU Activation = "quick_gelu"
	GELU      Activation = "gelu"
	ReLU      Activation = "relu" // of ResNets; no transformer here has it
)

// Tower is the shape of one transformer.
type Tower struct {
	Width, Layers, Heads, MLP int
	Activation                Activation
	Eps                       float32 // of its LayerNorms
}

// HeadDim is the width of one attention head.
func (t Tower) HeadDim() int { return t.Width / t.Heads }

// Scale is the factor of the attention logits, 1/sqrt(head dimension).
func (t Tower) Scale() float32 { return float32(1 / math.Sqrt(float64(t.HeadDim()))) }

// Config is the shape of a CLIP model. What weights can tell is inferred from their shapes; heads,
// activation and eps come from config.json where there is one.
type Config struct {
	Embed   int    // dimension of the shared space
	Kind    string // "vit" or "resnet"
	Image   int    // native side in pixels
	Patch   int    // pixels of a token's side: the patch, or 32 for a ResNet
	Vision  Tower  // of a ResNet: width of the stem, heads of the attention pool; Layers and MLP are 0
	Stages  [4]int // bottleneck blocks of a ResNet
	Text    Tower
	Vocab   int // token ids
	Context int // tokens of a text
	// Pixels is how the model wants its pixels normalised.
	Pixels Normalization
	// Assumed lists what neither shapes nor a configuration could tell, in words for the user.
	Assumed []string
}

// Name is the architecture in the field's spelling, such as ViT-B/16, or a description of an unknown shape.
func (c Config) Name() string {
	if c.Kind == "resnet" {
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
	size := map[[2]int]string{{768, 12}: "B", {1024, 24}: "L", {1280, 32}: "H", {1408, 40}: "g", {1664, 48}: "bigG"}[[2]int{c.Vision.Width, c.Vision.Layers}]
	if size == "" {
		return fmt.Sprintf("ViT width %d depth %d patch %d", c.Vision.Width, c.Vision.Layers, c.Patch)
	}
	name := fmt.Sprintf("ViT-%s/%d", size, c.Patch)
	if c.Image != 224 {
		name += fmt.Sprintf("@%dpx", c.Image)
	}
	return name
}

// hints is what a configuration file says beyond the shapes; zero fields are unknown.
type hints struct {
	file                    string
	visionHeads, textHeads  int
	visionHeadWidth         int // in place of visionHeads
	visionAct, textAct      Activation
	visionEps, textEps      float32
	visionImage, visionSize int // image size and width, to be compared with the weights
	pixels                  Normalization
}

// readHints reads config.json (Hugging Face) or open_clip_config.json beside the checkpoint, if any.
func readHints(dir string) (hints, error) {
	for _, f := range []struct {
		name  string
		parse func([]byte) (hints, error)
	}{{"config.json", huggingFaceHints}, {"open_clip_config.json", openCLIPHints}} {
		path := filepath.Join(dir, f.name)
		data, err := readConfig(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var h hints
		if err == nil {
			h, err = f.parse(data)
		}
		if err != nil {
			return hints{}, fmt.Errorf("%s: %w", path, err)
		}
		if h != (hints{}) {
			h.file = path
			if h.pixels == (Normalization{}) {
				h.pixels, err = readPreprocessor(dir)
			}
			return h, err
		}
	}
	return hints{}, nil
}

// readConfig is a configuration file, which is short.
func readConfig(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > 1<<20 {
		return nil, fmt.Errorf("%d bytes are too many for a model configuration", info.Size())
	}
	return os.ReadFile(path)
}

func huggingFaceHints(data []byte) (hints, error) {
	type tower struct {
		Heads  int      `json:"num_attention_heads"`
		Act    string   `json:"hidden_act"`
		Eps    *float32 `json:"layer_norm_eps"`
		Image  int      `json:"image_size"`
		Hidden int      `json:"hidden_size"`
	}
	var c struct {
		Type   string `json:"model_type"`
		Vision *tower `json:"vision_config"`
		Text   *tower `json:"text_config"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return hints{}, err
	}
	if c.Vision == nil && c.Text == nil {
		return hints{}, nil // of something else
	}
	if c.Type != "clip" && c.Type != "" {
		return hints{}, fmt.Errorf("model_type %q is not supported; ovbench reads \"clip\"", c.Type)
	}
	h := hints{visionHeads: 12, textHeads: 8, visionAct: QuickGELU, textAct: QuickGELU, visionEps: 1e-5, textEps: 1e-5} // the class's defaults
	read := func(t *tower, heads *int, act *Activation, eps *float32) error {
		if t == nil {
			return nil
		}
		if t.Heads != 0 {
			*heads = t.Heads
		}
		if t.Eps != nil {
			*eps = *t.Eps
		}
		if t.Act != "" {
			*act = Activation(t.Act)
		}
		if *act != QuickGELU && *act != GELU {
			return fmt.Errorf("hidden_act %q is not supported; ovbench knows quick_gelu and gelu", t.Act)
		}
		return nil
	}
	if err := read(c.Vision, &h.visionHeads, &h.visionAct, &h.visionEps); err != nil {
		return hints{}, fmt.Errorf("vision_config: %w", err)
	}
	if err := read(c.Text, &h.textHeads, &h.textAct, &h.textEps); err != nil {
		return hints{}, fmt.Errorf("text_config: %w", err)
	}
	if c.Vision != nil {
		h.visionImage, h.visionSize = c.Vision.Image, c.Vision.Hidden
	}
	return h, nil
}

// options are settings of open_clip's towers that leave no trace in the weights' names and change what they compute.
type options struct {
	FinalLNAfterPool bool            `json:"final_ln_after_pool"`
	NoCausalMask     bool            `json:"no_causal_mask"`
	AveragePool      bool            `json:"global_average_pool"`
	PoolType         string          `json:"pool_type"`
	PosEmbed         string          `json:"pos_embed_type"`
	ActKwargs        json.RawMessage `json:"act_kwargs"`
	NormKwargs       json.RawMessage `json:"norm_kwargs"`
}

// check refuses what is not as in CLIP, whose pooling open_clip calls pool.
func (o options) check(pool string) error {
	given := func(m json.RawMessage) bool { s := string(m); return s != "" && s != "null" && s != "{}" }
	for _, bad := range []struct {
		is   bool
		what string
	}{
		{o.FinalLNAfterPool, "final_ln_after_pool"}, {o.NoCausalMask, "no_causal_mask"}, {o.AveragePool, "global_average_pool"},
		{o.PoolType != "" && o.PoolType != pool, "pool_type " + o.PoolType},
		{o.PosEmbed != "" && o.PosEmbed != "learnable", "pos_embed_type " + o.PosEmbed},
		{given(o.ActKwargs), "act_kwargs"}, {given(o.NormKwargs), "norm_kwargs"},
	} {
		if bad.is {
			return fmt.Errorf("%s is not supported", bad.what)
		}
	}
	return nil
}

func openCLIPHints(data []byte) (hints, error) {
	var c struct {
		Model *struct {
			Quick  bool `json:"quick_gelu"`
			Vision struct {
				Image     json.RawMessage `json:"image_size"` // a number, or [height, width]
				Width     int             `json:"width"`
				HeadWidth int             `json:"head_width"`
				Timm      string          `json:"timm_model_name"`
				options
			} `json:"vision_cfg"`
			Text struct {
				Heads int    `json:"heads"`
				HF    string `json:"hf_model_name"`
				options
			} `json:"text_cfg"`
		} `json:"model_cfg"`
		Preprocess struct {
			Mean []float32 `json:"mean"`
			Std  []float32 `json:"std"`
		} `json:"preprocess_cfg"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return hints{}, err
	}
	if c.Model == nil {
		return hints{}, nil
	}
	if c.Model.Vision.Timm != "" {
		return hints{}, fmt.Errorf("timm image tower %q is not supported", c.Model.Vision.Timm)
	}
	if c.Model.Text.HF != "" {
		return hints{}, fmt.Errorf("text tower %q is not supported", c.Model.Text.HF)
	}
	if err := c.Model.Vision.check("tok"); err != nil {
		return hints{}, fmt.Errorf("vision_cfg: %w", err)
	}
	if err := c.Model.Text.check("argmax"); err != nil {
		return hints{}, fmt.Errorf("text_cfg: %w", err)
	}
	h := hints{visionAct: GELU, textAct: GELU, visionEps: 1e-5, textEps: 1e-5, textHeads: c.Model.Text.Heads, visionSize: c.Model.Vision.Width}
	if c.Model.Quick {
		h.visionAct, h.textAct = QuickGELU, QuickGELU
	}
	if h.textHeads == 0 {
		h.textHeads = 8 // open_clip's default, as is 64 below
	}
	if h.visionHeadWidth = c.Model.Vision.HeadWidth; h.visionHeadWidth == 0 {
		h.visionHeadWidth = 64
	}
	_ = json.Unmarshal(c.Model.Vision.Image, &h.visionImage) // left 0 for an oblong pair
	var err error
	if h.pixels, err = newNormalization(c.Preprocess.Mean, c.Preprocess.Std); err != nil {
		return hints{}, fmt.Errorf("preprocess_cfg: %w", err)
	}
	return h, nil
}

// imageHeads are the heads of open_clip's image towers that are not 64 wide, by width and depth: H, g, bigG and e.
var imageHeads = map[[2]int]int{{1280, 32}: 16, {1408, 40}: 16, {1664, 48}: 16, {1792, 56}: 16}

// poolHeads splits the attention pool of a ResNet into heads of the given width, 64 if that is unknown.
func (m *Model) poolHeads(width int) error {
	if width == 0 {
		width = 64
	}
	channels := m.ResNet.Pool.Positions.Shape[1]
	if channels%width != 0 {
		return fmt.Errorf("the attention pool's %d channels cannot be split into heads of %d", channels, width)
	}
	m.ResNet.heads = channels / width
	m.Config.Vision.Heads = m.ResNet.heads
	return nil
}

// belongs says if the configuration is of other weights.
func (h hints) belongs(c Config) error {
	if h.visionImage != 0 && h.visionImage != c.Image || h.visionSize != 0 && h.visionSize != c.Vision.Width {
		return fmt.Errorf("the weights are of %d px and width %d, but %s says %d px and width %d: it belongs to another model",
			c.Image, c.Vision.Width, h.file, h.visionImage, h.visionSize)
	}
	return nil
}

// tower fills in what shapes cannot tell.
func (c *Config) tower(what string, t *Tower, heads int, act Activation, eps float32, source checkpoint.Format) error {
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
			return fmt.Errorf("the heads of an image tower of width %d and depth %d are not known: %s", t.Width, t.Layers, remedy)
		default:
			t.Heads = t.Width / 64
		}
	}
	t.Eps = eps
	if t.Eps == 0 {
		t.Eps = 1e-5
	}
	t.Activation = act
	if act == "" {
		t.Activation = QuickGELU
		if source != checkpoint.TorchScript { // OpenAI's own archives leave no doubt
			c.Assumed = append(c.Assumed, fmt.Sprintf("%s activation quick_gelu (OpenAI's): the checkpoint does not name one; LAION and DataComp weights need --activation gelu", what))
		}
	}
	return nil
}
