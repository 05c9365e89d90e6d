package vit

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"

	"ovbench/runners/files"
)

// ImageProcessor is how transformers turns pictures into pixels for a model: preprocessor_config.json, or
// image_processor in processor_config.json.
type ImageProcessor struct {
	Class       string   `json:"image_processor_type"`
	Older       string   `json:"feature_extractor_type"`
	Mean        channels `json:"image_mean"`
	Std         channels `json:"image_std"`
	DoNormalize *bool    `json:"do_normalize"`
	DoRescale   *bool    `json:"do_rescale"`
	Factor      *float64 `json:"rescale_factor"`

	Resample *int  `json:"resample"`
	Crop     *bool `json:"do_center_crop"`
	Size     any   `json:"size"`
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

// ReadImageProcessor reads that of the model in dir, and says from which file; it is nil if there is none. Since its
// version 5 transformers writes processor_config.json, before that it wrote preprocessor_config.json. Where both are, the
// first counts.
func ReadImageProcessor(dir string) (p *ImageProcessor, path string, err error) {
	path = filepath.Join(dir, "processor_config.json")
	var nested struct {
		Image *ImageProcessor `json:"image_processor"`
	}
	if _, err := files.ReadJSON(path, &nested); err != nil || nested.Image != nil {
		return nested.Image, path, err
	}
	path = filepath.Join(dir, "preprocessor_config.json")
	p = &ImageProcessor{}
	if found, err := files.ReadJSON(path, p); err != nil || !found {
		return nil, path, err
	}
	return p, path, nil
}

// Normalization is x → (255 · factor · x - mean) / std for pixels x in 0..1, with what p leaves out as in n, its class's.
func (p *ImageProcessor) Normalization(n Normalization) (Normalization, error) {
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
		n = Normalization{Std: [3]float32{1, 1, 1}}
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
	return NewNormalization(n.Mean[:], n.Std[:])
}
