package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"ovbench/reports/results"
	"ovbench/runners/clip"
	"ovbench/runners/files"
	"ovbench/runners/hub"
	"ovbench/runners/tokenizer"
	"ovbench/runners/vit"
)

// Model is a checkpoint with the vocabulary that belongs to it.
type Model struct {
	*clip.Model
	Name       string // as asked for
	Title      string // what people call it; "" for Name
	Tokenizer  *tokenizer.Tokenizer
	Vocabulary string // where the tokenizer came from
}

// ModelOptions say how to find and understand a model.
type ModelOptions struct {
	Name       string         // a path, a name in a cache, or a built-in one
	Title      string         // what people call it; "" for Name
	Vocabulary string         // a directory or file; empty looks beside the checkpoint and in the caches
	Activation vit.Activation // overrides the checkpoint's; empty keeps it
}

// OpenModel finds a model and its vocabulary.
func OpenModel(o ModelOptions) (*Model, error) {
	m, err := OpenImageModel(o)
	if err != nil {
		return nil, err
	}
	if m.Vocabulary, err = hub.VocabularyPath(m.Files[0], o.Vocabulary); err != nil {
		return nil, err
	}
	if m.Tokenizer, err = tokenizer.Load(m.Vocabulary); err != nil {
		return nil, err
	}
	return m, nil
}

// OpenImageModel finds a model for work without texts: it needs no vocabulary and has no tokenizer.
func OpenImageModel(o ModelOptions) (*Model, error) {
	path, err := locate(o.Name)
	if err != nil {
		return nil, err
	}
	var opts []clip.Option
	switch o.Activation {
	case "":
	case vit.QuickGELU, vit.GELU:
		opts = append(opts, clip.WithActivation(o.Activation))
	default:
		return nil, fmt.Errorf("activation %q is not known; known are %s, %s", o.Activation, vit.QuickGELU, vit.GELU)
	}
	m, err := clip.Open(path, opts...)
	if err != nil {
		return nil, err
	}
	return &Model{Model: m, Name: o.Name, Title: o.Title}, nil
}

func locate(name string) (string, error) {
	switch name {
	case "":
		return "", fmt.Errorf("no model: name one with --model (ovbench list models)")
	case "demo":
		return demoModel()
	case "micro":
		return microModel()
	}
	return hub.Locate(name)
}

// Describe is the model as results record it; hashes are added by hashFiles.
func (m *Model) Describe() results.Model {
	activation := string(m.Config.Vision.Activation)
	if t := string(m.Config.Text.Activation); t != activation && activation != "" {
		activation += " (text: " + t + ")"
	}
	r := results.Model{
		Name: m.Name, Title: m.Title, Path: m.Path, Format: string(m.Format), Architecture: m.Config.Name(),
		Activation: activation,
		ImageSize:  m.Image, Patch: m.Patch, Layers: m.Config.Vision.Layers, Width: m.Config.Vision.Width,
		Heads: m.Config.Vision.Heads,
		Embed: m.Embed, LogitScale: m.LogitScale, LogitBias: m.LogitBias, Vocabulary: results.File{Path: m.Vocabulary},
	}
	if m.Tokenizer != nil {
		r.Cleaning = string(m.Tokenizer.Cleaning())
	}
	for _, f := range m.Files {
		r.Files = append(r.Files, results.File{Path: f})
	}
	return r
}

// hash fills in the size and hash of f: of the files given, one after the other.
func hash(f *results.File, paths ...string) error {
	h := sha256.New()
	f.Bytes = 0
	for _, path := range paths {
		in, err := files.Open(path)
		if err != nil {
			return err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{in}, make([]byte, 1<<20))
		in.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		f.Bytes += n
	}
	f.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// hashAll fills in sizes and hashes of the files of all of a run's networks.
func hashAll(r *results.Run) error {
	if err := hashNetworks(r); err != nil {
		return err
	}
	return hashFiles(&r.Model)
}

// hashNetworks fills in those of the networks beside the model.
func hashNetworks(r *results.Run) error {
	for i := range r.Networks {
		if err := hashWeights(&r.Networks[i].Model); err != nil {
			return err
		}
	}
	return nil
}

func hashWeights(m *results.Model) error {
	for i := range m.Files {
		if err := hash(&m.Files[i], m.Files[i].Path); err != nil {
			return err
		}
	}
	return nil
}

// hashFiles fills in sizes and hashes of the model's files.
func hashFiles(m *results.Model) error {
	if err := hashWeights(m); err != nil {
		return err
	}
	return hash(&m.Vocabulary, tokenizer.Files(m.Vocabulary.Path)...)
}
