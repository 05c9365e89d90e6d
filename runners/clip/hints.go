package clip

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ovbench/runners/files"
	"ovbench/runners/vit"
)

// hints is what a configuration file says beyond the shapes; zero fields are unknown.
type hints struct {
	file                    string
	family                  string // see Config
	visionHeads, textHeads  int
	visionHeadWidth         int // in place of visionHeads
	poolHeads               int // 0 for those of the tower
	visionAct, textAct      vit.Activation
	visionEps, textEps      float32
	visionImage, visionSize int    // image size and width, to be compared with the weights, and so are
	layers                  [2]int // of image and text tower
	input
	end       int32             // id of the token that the text tower reads; 0 for that of the largest id
	padded    bool              // the text tower has no mask and reads the last of all tokens, padding as a rule
	positions vit.Interpolation // how the library reads positions on other grids; "" leaves it to methods
	rotary    *vit.Rotary       // its Offset, and Native if not 0, are to be filled in
}

// input is how a model's library turns pictures into pixels.
type input struct {
	pixels vit.Normalization
	filter Filter
	fit    Resize
}

// half is the normalisation of SigLIP and PE-Core.
var half = vit.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}

// fallBack fills in what a checkpoint of PE-Core from Meta, which brings no configuration, leaves open.
func (h *hints) fallBack(m *Model) {
	v, ok := m.encoder.(*ViT)
	if !ok || v.Pool == nil || v.Conv.Weight.Name != openAITower.conv+".weight" {
		return
	}
	h.family, h.visionAct, h.textAct, h.poolHeads = "PE-Core", vit.GELU, vit.GELU, 8
	h.positions, h.rotary = vit.Bilinear, &vit.Rotary{Base: 10000}
	if h.pixels == (vit.Normalization{}) {
		h.pixels = half
	}
	h.filter, h.fit = FilterBilinear, Squash
}

// readHints reads config.json (Hugging Face) or open_clip_config.json beside the checkpoint, if any.
func readHints(dir string) (hints, error) {
	for _, f := range []struct {
		name  string
		parse func([]byte) (hints, error)
	}{{"config.json", huggingFaceHints}, {"open_clip_config.json", openCLIPHints}} {
		path := filepath.Join(dir, f.name)
		data, err := files.ReadConfig(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return hints{}, err
		}
		h, err := f.parse(data)
		if err != nil {
			return hints{}, fmt.Errorf("%s: %w", path, err)
		}
		if h != (hints{}) {
			h.file = path
			if h.pixels == (vit.Normalization{}) {
				h.input, err = readPreprocessor(dir, h.family)
			}
			return h, err
		}
	}
	in, err := readPreprocessor(dir, "")
	return hints{input: in}, err
}

// towerConfig is vision_config or text_config of a config.json, which leaves out what the class has as its default.
type towerConfig struct {
	Heads  int     `json:"num_attention_heads"`
	Act    string  `json:"hidden_act"`
	Eps    float32 `json:"layer_norm_eps"`
	Image  int     `json:"image_size"`
	Hidden int     `json:"hidden_size"`
	Layers int     `json:"num_hidden_layers"` // 0 is unknown
	EOS    int32   `json:"eos_token_id"`

	UseHead bool `json:"vision_use_head"` // SigLIP's
}

// read gives the first of the blocks that is there over the class's defaults. An older block, such as
// vision_config_dict, goes before the newer as a whole: what it does not name is the class's default, whatever the
// newer one says.
func (t *towerConfig) read(blocks ...json.RawMessage) error {
	for _, block := range blocks {
		if len(block) == 0 || string(block) == "null" {
			continue
		}
		if err := json.Unmarshal(block, t); err != nil {
			return err
		}
		break
	}
	switch {
	case t.Heads < 1:
		return fmt.Errorf("num_attention_heads %d is not positive", t.Heads)
	case !slices.Contains([]vit.Activation{vit.QuickGELU, vit.GELU, vit.GELUTanh}, vit.Activation(t.Act)):
		return fmt.Errorf("hidden_act %q is not supported; ovbench knows quick_gelu, gelu and gelu_pytorch_tanh", t.Act)
	}
	return nil
}

// classDefaults are those of transformers' configuration classes, by model_type.
var classDefaults = map[string]struct {
	family       string
	vision, text towerConfig
}{
	"clip": {"", towerConfig{Heads: 12, Act: "quick_gelu", Eps: 1e-5}, towerConfig{Heads: 8, Act: "quick_gelu",
		Eps: 1e-5}},
	"metaclip_2": {"MetaCLIP 2", towerConfig{Heads: 12, Act: "quick_gelu", Eps: 1e-5},
		towerConfig{Heads: 8, Act: "quick_gelu", Eps: 1e-5, EOS: 49407}},
	"siglip": {"SigLIP", towerConfig{Heads: 12, Act: "gelu_pytorch_tanh", Eps: 1e-6, UseHead: true},
		towerConfig{Heads: 12, Act: "gelu_pytorch_tanh", Eps: 1e-6}},
}

func huggingFaceHints(data []byte) (hints, error) {
	var c struct {
		Type       string          `json:"model_type"`
		Vision     json.RawMessage `json:"vision_config"`
		Text       json.RawMessage `json:"text_config"`
		VisionDict json.RawMessage `json:"vision_config_dict"`
		TextDict   json.RawMessage `json:"text_config_dict"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return hints{}, err
	}
	if c.Vision == nil && c.Text == nil && c.VisionDict == nil && c.TextDict == nil {
		return hints{}, nil // of something else
	}
	class, ok := classDefaults[cmp.Or(c.Type, "clip")]
	switch {
	case c.Type == "siglip2":
		return hints{}, fmt.Errorf("model_type \"siglip2\" is SigLIP 2 of flexible size (NaFlex), which is not supported; " +
			"those of fixed size have model_type \"siglip\"")
	case !ok:
		return hints{}, fmt.Errorf("model_type %q is not supported; ovbench reads %s", c.Type,
			strings.Join(slices.Sorted(maps.Keys(classDefaults)), ", "))
	}
	vision, text := class.vision, class.text
	if err := vision.read(c.VisionDict, c.Vision); err != nil {
		return hints{}, fmt.Errorf("vision_config: %w", err)
	}
	if err := text.read(c.TextDict, c.Text); err != nil {
		return hints{}, fmt.Errorf("text_config: %w", err)
	}
	h := hints{
		family: class.family, visionHeads: vision.Heads, textHeads: text.Heads, visionAct: vit.Activation(vision.Act),
		textAct:   vit.Activation(text.Act),
		visionEps: vision.Eps, textEps: text.Eps, visionImage: vision.Image, visionSize: vision.Hidden, end: text.EOS,
		layers: [2]int{vision.Layers, text.Layers},
	}
	switch {
	case class.family == "SigLIP" && !vision.UseHead:
		return hints{}, fmt.Errorf("vision_config: vision_use_head false is not supported")
	case class.family == "SigLIP":
		h.padded, h.positions, h.end = true, vit.BicubicSize, 0
	case class.family == "" && text.EOS == 2: // which transformers wrote in error before its version 4.31, and reads so
		h.end = 0
	}
	return h, nil
}

// readPreprocessor reads how transformers shows pictures to the model in dir.
func readPreprocessor(dir, family string) (input, error) {
	p, path, err := vit.ReadImageProcessor(dir)
	if err == nil && p == nil && family == "SigLIP" {
		p = &vit.ImageProcessor{Class: "SiglipImageProcessor"}
	}
	if err != nil || p == nil {
		return input{}, err
	}
	in, err := inputOf(p)
	if err != nil {
		return in, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

// inputOf is what p says, with what it leaves out as in its class.
func inputOf(p *vit.ImageProcessor) (in input, err error) {
	var ok bool
	class := p.Class + p.Older
	in.fit, in.filter = Crop, FilterBicubic
	if size, named := p.Size.(map[string]any); p.Crop != nil && !*p.Crop || named && size["height"] != nil ||
		strings.HasPrefix(class, "Siglip") {
		in.fit = Squash
	}
	if p.Resample != nil {
		if in.filter, ok = map[int]Filter{1: FilterLanczos, 2: FilterBilinear, 3: FilterBicubic}[*p.Resample]; !ok {
			return in, fmt.Errorf("resample %d is not supported; ovbench knows 1 (Lanczos), 2 (bilinear) and 3 (bicubic)",
				*p.Resample)
		}
	}
	in.pixels = vit.CLIP
	if strings.HasPrefix(class, "Siglip") || strings.HasPrefix(class, "ViT") {
		in.pixels = half
	}
	in.pixels, err = p.Normalization(in.pixels)
	return in, err
}

// options are settings of open_clip's towers that leave no trace in the weights' names and change what they compute.
type options struct {
	FinalLNAfterPool bool   `json:"final_ln_after_pool"`
	NoCausalMask     bool   `json:"no_causal_mask"`
	AveragePool      bool   `json:"global_average_pool"`
	PoolType         string `json:"pool_type"`
	PosEmbed         string `json:"pos_embed_type"`
	Act              struct {
		Approximate string `json:"approximate"`
	} `json:"act_kwargs"`
	Norm struct {
		Eps float32 `json:"eps"`
	} `json:"norm_kwargs"`
}

// check refuses what is not as in CLIP, whose pooling open_clip calls pool, or as in SigLIP's text tower.
func (o options) check(pools ...string) error {
	for _, bad := range []struct {
		is   bool
		what string
	}{
		{o.FinalLNAfterPool, "final_ln_after_pool"}, {o.AveragePool, "global_average_pool"},
		{o.NoCausalMask != (o.PoolType == "last"), "no_causal_mask without pool_type last"},
		{o.PoolType != "" && !slices.Contains(pools, o.PoolType), "pool_type " + o.PoolType},
		{o.PosEmbed != "" && o.PosEmbed != "learnable", "pos_embed_type " + o.PosEmbed},
		{o.Act.Approximate != "" && o.Act.Approximate != "none" &&
			o.Act.Approximate != "tanh", "act_kwargs.approximate " + o.Act.Approximate},
	} {
		if bad.is {
			return fmt.Errorf("%s is not supported", bad.what)
		}
	}
	return nil
}

// activation is the exact GELU unless its approximation is asked for.
func (o options) activation() vit.Activation {
	if o.Act.Approximate == "tanh" {
		return vit.GELUTanh
	}
	return vit.GELU
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
				Proj  string `json:"proj_type"`
				EOS   int32  `json:"eos_id"`
				options
			} `json:"text_cfg"`
		} `json:"model_cfg"`
		Preprocess struct {
			Mean   []float32 `json:"mean"`
			Std    []float32 `json:"std"`
			Filter string    `json:"interpolation"`
			Fit    string    `json:"resize_mode"`
		} `json:"preprocess_cfg"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return hints{}, err
	}
	if c.Model == nil {
		return hints{}, nil
	}
	vision, text := &c.Model.Vision, &c.Model.Text
	if text.HF != "" {
		return hints{}, fmt.Errorf("text tower %q is not supported", text.HF)
	}
	if err := vision.check("tok"); err != nil {
		return hints{}, fmt.Errorf("vision_cfg: %w", err)
	}
	if err := text.check("argmax", "eos", "last"); err != nil {
		return hints{}, fmt.Errorf("text_cfg: %w", err)
	}
	h := hints{
		visionAct: vision.activation(), textAct: text.activation(), visionEps: cmp.Or(vision.Norm.Eps, 1e-5),
		textEps:   cmp.Or(text.Norm.Eps, 1e-5),
		textHeads: cmp.Or(text.Heads, 8), visionSize: vision.Width, visionHeadWidth: cmp.Or(vision.HeadWidth, 64),
		padded: text.PoolType == "last", // open_clip's defaults
	}
	if c.Model.Quick {
		h.visionAct, h.textAct = vit.QuickGELU, vit.QuickGELU
	}
	if text.PoolType == "eos" {
		h.family, h.end = "MetaCLIP 2", cmp.Or(text.EOS, 2)
	}
	if vision.Timm != "" {
		if err := h.timm(vision.Timm, vision.HeadWidth, text.Proj); err != nil {
			return hints{}, err
		}
	}
	_ = json.Unmarshal(vision.Image, &h.visionImage) // left 0 for an oblong pair
	var err error
	if h.pixels, err = vit.NewNormalization(c.Preprocess.Mean, c.Preprocess.Std); err != nil {
		return hints{}, fmt.Errorf("preprocess_cfg: %w", err)
	}
	h.filter, h.fit = Filter(c.Preprocess.Filter), Resize(c.Preprocess.Fit)
	switch h.filter {
	case "", FilterBicubic, FilterBilinear:
	default:
		return hints{}, fmt.Errorf("preprocess_cfg: interpolation %q is not supported", h.filter)
	}
	switch h.fit {
	case "shortest", "":
		h.fit = Crop
	case Squash:
	default:
		return hints{}, fmt.Errorf("preprocess_cfg: resize_mode %q is not supported", h.fit)
	}
	return h, nil
}

// timmTowers are the image towers of timm that are read.
var timmTowers = regexp.MustCompile(`^vit_(\w+_siglip|pe_core_\w+)_`)

// timm fills in what timm's name of an image tower says; textProj is open_clip's proj_type.
func (h *hints) timm(name string, headWidth int, textProj string) error {
	if !timmTowers.MatchString(name) || strings.Contains(name, "gap_") || strings.Contains(name, "naflex") {
		return fmt.Errorf("timm image tower %q is not supported; of timm's ovbench reads SigLIP (with its pool) and PE-Core",
			name)
	}
	h.visionHeadWidth = headWidth // timm's configurations have none; heads follow from the width
	h.positions, h.pixels = vit.BicubicAntialias, half
	if strings.Contains(name, "pe_core") {
		h.family, h.poolHeads, h.rotary = "PE-Core", 8, &vit.Rotary{Base: 10000, Native: 1}
		return nil
	}
	h.family, h.visionEps = "SigLIP", 1e-6
	if strings.Contains(name, "giantopt") || strings.Contains(name, "so400m_patch16_siglip_256") && textProj == "none" {
		h.visionAct = vit.GELUTanh
	}
	return nil
}
