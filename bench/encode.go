package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/tokenizer"
	"ovbench/runners/vit"
)

func encodeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "encode",
		Short: "Write image tokens or text embeddings as .npy",
		Args:  subcommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(encodeImageCommand(), encodeTextCommand())
	return c
}

func encodeImageCommand() *cobra.Command {
	var (
		f                           modelFlags
		pictures                    pictureFlags
		size                        sizeFlag
		seen                        bool
		method, positions, fit, out string
	)
	c := &cobra.Command{
		Use:   "image FILE...",
		Short: "Write projected patch tokens of pictures",
		Long: `Write projected tokens [B, 1+N, E] of pictures as float32 .npy, one row of B per file, in order.
The global token comes first, where the method has one, patches follow row by row; nothing is normalised.
--pixels writes what the image tower sees instead, [B, 3, H, W]: resized and normalised as the model wants it.`,
		Example: "  ovbench encode image a.jpg b.png --model openai/clip-vit-base-patch16 --method clip_surgery --size 512 " +
			"--out tokens.npy",
		Args: arguments(1, -1),
	}
	f.add(c)
	pictures.addPictures(c)
	c.Flags().StringVar(&method, "method", "clip",
		"`method` (ovbench list methods), with parameters as in naclip:attn=kk:sigma=3")
	c.Flags().Var(&size, "size", "network input in pixels (default: the model's own)")
	c.Flags().StringVar(&positions, "positions", "reference",
		"positional interpolation: bilinear, bicubic, bicubic-size, bicubic-antialias, or reference for the method's own")
	c.Flags().StringVar(&fit, "resize", string(clip.Squash), "squash, or crop for shorter side and centre crop")
	c.Flags().BoolVar(&seen, "pixels", false, "write normalised pixels, not tokens")
	c.Flags().StringVar(&out, "out", "", ".npy `file` to write")
	c.RunE = func(c *cobra.Command, files []string) error {
		if err := checkFile(c, out, ".npy"); err != nil {
			return err
		}
		p, err := vit.ParseInterpolation(positions)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if r := clip.Resize(fit); r != clip.Squash && r != clip.Crop {
			return usagef(c.CommandPath(), "--resize %q is not known; known are %s, %s", fit, clip.Squash, clip.Crop)
		}
		m, lib, err := f.openWith(c, engine.OpenImageModel) // no texts, no vocabulary
		if err != nil {
			return err
		}
		named, err := namedMethods(method)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		h, w := size.or(m.Image)
		towers, err := f.openBackbones(c, named)
		if err != nil {
			return err
		}
		images, err := runners.NewImages(lib, m.Model, named, runners.ImageOptions{Height: h, Width: w, Positions: p,
			Backbones: towers, Session: f.session()})
		if err != nil {
			return err
		}
		defer images.Close()
		var all tensor.Dense
		for _, file := range files {
			img, err := pictures.readPicture(c, file)
			if err != nil {
				return err
			}
			pixels, err := clip.Preprocess(img, h, w, clip.Resize(fit), m.Filter)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			values := m.Pixels.Values(pixels)
			if !seen {
				tokens, err := images.Tokens(c.Context(), pixels)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				values = tokens[0].Values
			}
			all.Data = append(all.Data, values.Data...)
			all.Shape = values.Shape
		}
		all.Shape[0] = len(files)
		return writeFile(out, func(w io.Writer) error { return tensor.WriteNPY(w, all) })
	}
	return c
}

func encodeTextCommand() *cobra.Command {
	var (
		f              modelFlags
		templates, out string
		tokens         bool
	)
	c := &cobra.Command{
		Use:   "text TEXT...",
		Short: "Write text embeddings or token ids",
		Long: `Write text embeddings [T, E] as float32 .npy. With --templates none they are the text tower's own,
un-normalised; with a set of templates each is the normalised mean over the filled templates.
--tokens writes ids [T, context] as int32 instead, padded as the model has it: with 0 for CLIP.`,
		Example: "  ovbench encode text cat dog --model openai/clip-vit-base-patch16 --templates surgery85 --out classes.npy",
		Args:    arguments(1, -1),
	}
	f.add(c)
	c.Flags().StringVar(&templates, "templates", "none", "none, openai80, surgery85, or a `file` with one template a line")
	c.Flags().BoolVar(&tokens, "tokens", false, "write token ids")
	c.Flags().StringVar(&out, "out", "", ".npy `file` to write")
	c.RunE = func(c *cobra.Command, texts []string) error {
		if err := checkFile(c, out, ".npy"); err != nil {
			return err
		}
		list, err := clip.Templates(templates)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if tokens {
			m, err := f.openModel(c)
			if err != nil {
				return err
			}
			if err := runners.CheckVocabulary(m.Model, m.Tokenizer); err != nil {
				return err
			}
			if err := checkTexts(c, m, texts, []string{"{}"}); err != nil {
				return err
			}
			return writeTokens(m.Tokenizer, m.Model.Tokens(), texts, out)
		}
		m, lib, err := f.open(c)
		if err != nil {
			return err
		}
		tower, err := runners.NewTexts(lib, m.Model, m.Tokenizer, f.session())
		if err != nil {
			return err
		}
		defer tower.Close()
		if err := checkTexts(c, m, texts, list); err != nil {
			return err
		}
		var e tensor.Dense
		if templates == "none" {
			e, err = tower.Encode(c.Context(), texts, nil)
		} else {
			e, err = tower.Ensemble(c.Context(), texts, list, nil)
		}
		if err != nil {
			return err
		}
		return writeFile(out, func(w io.Writer) error { return tensor.WriteNPY(w, e) })
	}
	return c
}

// checkTexts refuses texts that the model cannot read, and warns of those of which it reads a part.
func checkTexts(c *cobra.Command, m *engine.Model, texts, templates []string) error {
	cut, err := runners.CheckTexts(m.Model, m.Tokenizer, texts, templates)
	if cut != "" {
		fmt.Fprintln(c.ErrOrStderr(), "ovbench: warning: "+cut)
	}
	return err
}

func writeTokens(t *tokenizer.Tokenizer, in clip.TextInput, texts []string, out string) error {
	var all []int32
	for _, text := range texts {
		ids, err := t.Padded(text, in.Context, in.Truncated)
		if err != nil {
			return err
		}
		all = append(all, ids...)
	}
	return writeFile(out, func(w io.Writer) error {
		return tensor.WriteNPYInt32(w, []int{len(texts), in.Context}, all)
	})
}

// namedMethods makes methods with the paper's parameters and those written with them, under the names given.
func namedMethods(names ...string) ([]runners.Named, error) {
	var out []runners.Named
	for _, name := range names {
		m, err := methods.Parse(name)
		if err != nil {
			return nil, err
		}
		out = append(out, runners.Named{Name: name, Method: m})
	}
	return out, nil
}

// writeFile replaces a file by what fill writes, or leaves it as it was.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o666), renameio.WithExistingPermissions())
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: the folder does not exist", path)
		}
		return err
	}
	defer f.Cleanup()
	if err := fill(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.CloseAtomicallyReplace()
}
