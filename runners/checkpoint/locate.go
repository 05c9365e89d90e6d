package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WeightFiles are the names weights have in a Hugging Face directory, best first: a pickle is
// taken only where nothing else is. In the last two places sentence-transformers keeps a CLIP.
var WeightFiles = []string{
	"model.safetensors",
	"model.safetensors.index.json",
	"open_clip_model.safetensors",
	"open_clip_model.safetensors.index.json",
	"pytorch_model.bin",
	"pytorch_model.bin.index.json",
	"open_clip_pytorch_model.bin",
	"0_CLIPModel/model.safetensors",
	"0_CLIPModel/pytorch_model.bin",
}

// variant reports whether a file holds the weights of a directory in another precision, such as model.fp16.safetensors.
func variant(name string) bool {
	for _, pattern := range []string{"model.*.safetensors", "open_clip_model.*.safetensors", "pytorch_model.*.bin",
		"open_clip_pytorch_model.*.bin"} {
		if ok, _ := filepath.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// Weights is the file to read among the names of a directory's files: the best of [WeightFiles], else the only variant
// of one, else the only weight file there is. Several that are equally good are an error, as is none.
func Weights(names []string) (string, error) {
	for _, name := range WeightFiles {
		if slices.Contains(names, name) {
			return name, nil
		}
	}
	var found [3][]string // variants, other safetensors, other PyTorch files
	for _, name := range names {
		if strings.Contains(name, "/") || strings.HasPrefix(name, "adapter_") || strings.HasPrefix(name, ".") {
			continue
		}
		switch ext := filepath.Ext(name); {
		case variant(name) && ext != ".json":
			found[0] = append(found[0], name)
		case ext == ".safetensors":
			found[1] = append(found[1], name)
		case ext == ".pt" || ext == ".pth" || ext == ".bin" && name != "training_args.bin":
			found[2] = append(found[2], name)
		}
	}
	for _, group := range found {
		if len(group) == 1 {
			return group[0], nil
		}
		if len(group) > 1 {
			slices.Sort(group)
			return "", fmt.Errorf("several weight files: %s", strings.Join(group, ", "))
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "adapter_") }) {
		return "", errors.New("only an adapter (LoRA) lies here; merge it into its base model in Python (merge_and_unload) " +
			"and save that")
	}
	return "", fmt.Errorf("no weights in this directory: none of %s", strings.Join(WeightFiles, ", "))
}

// locate is path itself, or the weight file in the directory path. notes say which, if its name is not one of the
// usual.
func locate(path string) (file string, notes []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if !info.IsDir() {
		return path, nil, nil
	}
	names, err := namesIn(path)
	if err != nil {
		return "", nil, err
	}
	name, err := Weights(names)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w; download the model, or give its weight file", path, err)
	}
	file = filepath.Join(path, filepath.FromSlash(name))
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%s: link leads nowhere (%w); download the model again", file, err)
	}
	if !slices.Contains(WeightFiles, name) {
		notes = []string{fmt.Sprintf("weights of %s, the only weight file in the folder", name)}
	}
	return file, notes, nil
}

// namesIn lists the files of a directory and those of sentence-transformers' folder for a CLIP.
func namesIn(dir string) (names []string, err error) {
	for _, sub := range []string{"", "0_CLIPModel/"} {
		list, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && sub == "" {
			return nil, err
		}
		for _, e := range list {
			if !e.IsDir() {
				names = append(names, sub+e.Name())
			}
		}
	}
	return names, nil
}
