package clip

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Whatever stands in a model's configuration files, they are refused or give numbers to compute with.
func FuzzHints(f *testing.F) {
	f.Add([]byte(`{"model_type":"clip","vision_config":{"num_attention_heads":2},"text_config_dict":{"hidden_act":"gelu"}}`),
		[]byte(`{"image_mean":[0.5,0.5,0.5],"image_std":0.5,"do_rescale":true,"rescale_factor":0.004}`))
	f.Add([]byte(`{"model_cfg":{"vision_cfg":{"image_size":[8,8],"layers":[1,1,1,1]},"text_cfg":{"heads":1}}}`),
		[]byte(`{"image_processor":{"do_normalize":false,"size":{"height":8}}}`))
	f.Add([]byte(`{"model_type":"siglip","vision_config":{},"text_config":null}`), []byte(`{"resample":2}`))
	f.Fuzz(func(t *testing.T, config, pixels []byte) {
		for _, name := range []string{"config.json", "open_clip_config.json"} {
			for _, processor := range []string{"preprocessor_config.json", "processor_config.json"} {
				dir := t.TempDir()
				for file, data := range map[string][]byte{name: config, processor: pixels} {
					if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				h, err := readHints(dir)
				if err != nil {
					continue
				}
				for c := range 3 {
					m, s := float64(h.pixels.Mean[c]), float64(h.pixels.Std[c])
					if math.IsNaN(m+s) || math.IsInf(m+s, 0) {
						t.Fatalf("normalisation %v", h.pixels)
					}
				}
			}
		}
	})
}
