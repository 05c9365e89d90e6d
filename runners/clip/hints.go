package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"ovbench/runners/files"
	"ovbench/runners/vit"
)

// hints is what a configuration file says beyond the shapes; zero fields are unknown.
type hints struct {
	file                    string
	visionHeads, textHeads  int
	visionHeadWidth         int // in place of visionHeads
	visionAct, textAct      vit.Activation
	visionEps, textEps      float32
	visionImage, visionSize int // image size and width, to be compared with the weights
	pixels                  vit.Normalization
	end                     int32 // id of the token that the text tower reads; 0 for that of the largest id
}

// readHints reads config.json (Hugging Face) or open_clip_config.json beside the checkpoint, if any.
func readHints(dir string) (hints, error) {
	for _, f := range []struct {
		name  string
		parse func([]byte) (hints, error)
	}{{"config.json", huggingFaceHints}, {"open_clip_config.json", openCLIPHints}} {
		path := filepath.Join(dir, f.name)
		data, err := files.Read(path, maxConfig)
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
				h.pixels, err = readPreprocessor(dir)
			}
			return h, err
		}
	}
	pixels, err := readPreprocessor(dir)
	return hints{pixels: pixels}, err
}

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// towerConfig is vision_config or text_config of a config.json, which leaves out what the class has as its default.
type towerConfig struct {
	Heads  int     `json:"num_attention_heads"`
	Act    string  `json:"hidden_act"`
	Eps    float32 `json:"layer_norm_eps"`
	Image  int     `json:"image_size"`
	Hidden int     `json:"hidden_size"`
	EOS    int32   `json:"eos_token_id"`
}

// read gives the first of the blocks that is there over the class's defaults. An older block, such as vision_config_dict, goes
// before the newer as a whole: what it does not name is the class's default, whatever the newer one says.
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
	case vit.Activation(t.Act) != vit.QuickGELU && vit.Activation(t.Act) != vit.GELU:
		return fmt.Errorf("hidden_act %q is not supported; ovbench knows quick_gelu and gelu", t.Act)
	}
	return nil
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
	if c.Type != "clip" && c.Type != "" {
		return hints{}, fmt.Errorf("model_type %q is not supported; ovbench reads \"clip\"", c.Type)
	}
	vision := towerConfig{Heads: 12, Act: string(vit.QuickGELU), Eps: 1e-5} // the defaults of transformers' CLIPVisionConfig
	if err := vision.read(c.VisionDict, c.Vision); err != nil {
		return hints{}, fmt.Errorf("vision_config: %w", err)
	}
	text := towerConfig{Heads: 8, Act: string(vit.QuickGELU), Eps: 1e-5} // and of CLIPTextConfig
	if err := text.read(c.TextDict, c.Text); err != nil {
		return hints{}, fmt.Errorf("text_config: %w", err)
	}
	if text.EOS == 2 { // which transformers wrote in error before its version 4.31, and reads so
		text.EOS = 0
	}
	return hints{
		end: text.EOS, visionHeads: vision.Heads, textHeads: text.Heads, visionAct: vit.Activation(vision.Act), textAct: vit.Activation(text.Act),
		visionEps: vision.Eps, textEps: text.Eps, visionImage: vision.Image, visionSize: vision.Hidden,
	}, nil
}

// imageProcessor is preprocessor_config.json, or image_processor in processor_config.json.
type imageProcessor struct {
	Class       string   `json:"image_processor_type"`
	Older       string   `json:"feature_extractor_type"`
	Mean        channels `json:"image_mean"`
	Std         channels `json:"image_std"`
	DoNormalize *bool    `json:"do_normalize"`
	DoRescale   *bool    `json:"do_rescale"`
	Factor      *float64 `json:"rescale_factor"`
}

// channels is a number of each channel, or one for all.
type channels []float32

func (c *channels) UnmarshalJSON(data []byte) error {
	var one float32
	if json.Unmarshal(data, &one) == nil && string(data) != "null" {
		*c = channels{one, one, one}
		return nil
	}
	return json.Unmarshal(data, (*[]float32)(c))
}

// readPreprocessor reads how transformers normalises pixels for the model in dir: since its version 5 processor_config.json
// says so under image_processor, before that preprocessor_config.json did. Where both do, the first counts.
func readPreprocessor(dir string) (vit.Normalization, error) {
	path := filepath.Join(dir, "processor_config.json")
	var nested struct {
		Image *imageProcessor `json:"image_processor"`
	}
	if _, err := readJSONConfig(path, &nested); err != nil {
		return vit.Normalization{}, err
	}
	p := nested.Image
	if p == nil {
		path = filepath.Join(dir, "preprocessor_config.json")
		p = &imageProcessor{}
		if found, err := readJSONConfig(path, p); !found || err != nil {
			return vit.Normalization{}, err
		}
	}
	n, err := p.normalization()
	if err != nil {
		return n, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// normalization is x → (255 · factor · x - mean) / std for pixels x in 0..1, with what p leaves out as in its class.
func (p *imageProcessor) normalization() (vit.Normalization, error) {
	n := vit.CLIP
	switch class := p.Class + p.Older; {
	case strings.HasPrefix(class, "Siglip"), strings.HasPrefix(class, "ViT"):
		n = vit.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	}
	if p.Mean != nil {
		copy(n.Mean[:], p.Mean)
	}
	if p.Std != nil {
		copy(n.Std[:], p.Std)
	}
	if p.Mean != nil && len(p.Mean) != 3 || p.Std != nil && len(p.Std) != 3 {
		return n, fmt.Errorf("image_mean %v and image_std %v are not of three channels", p.Mean, p.Std)
	}
	if p.DoNormalize != nil && !*p.DoNormalize {
		n = vit.Normalization{Std: [3]float32{1, 1, 1}}
	}
	scale := 1.0
	if p.DoRescale != nil && !*p.DoRescale {
		scale = 255
	} else if p.Factor != nil {
		scale = 255 * *p.Factor
	}
	if math.Abs(scale-1) > 1e-6 {
		for c := range 3 {
			n.Mean[c], n.Std[c] = float32(float64(n.Mean[c])/scale), float32(float64(n.Std[c])/scale)
		}
	}
	return vit.NewNormalization(n.Mean[:], n.Std[:])
}

// readJSONConfig reads a configuration file into v, if there is one.
func readJSONConfig(path string, v any) (found bool, err error) {
	data, err := files.Read(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
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
	h := hints{visionAct: vit.GELU, textAct: vit.GELU, visionEps: 1e-5, textEps: 1e-5, textHeads: c.Model.Text.Heads, visionSize: c.Model.Vision.Width}
	if c.Model.Quick {
		h.visionAct, h.textAct = vit.QuickGELU, vit.QuickGELU
	}
	if h.textHeads == 0 {
		h.textHeads = 8 // open_clip's default, as is 64 below
	}
	if h.visionHeadWidth = c.Model.Vision.HeadWidth; h.visionHeadWidth == 0 {
		h.visionHeadWidth = 64
	}
	_ = json.Unmarshal(c.Model.Vision.Image, &h.visionImage) // left 0 for an oblong pair
	var err error
	if h.pixels, err = vit.NewNormalization(c.Preprocess.Mean, c.Preprocess.Std); err != nil {
		return hints{}, fmt.Errorf("preprocess_cfg: %w", err)
	}
	return h, nil
}
