package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"ovbench/reports"
	"ovbench/reports/draw"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

func explainCommand() *cobra.Command {
	var e explanation
	c := &cobra.Command{
		Use:   "explain FILE",
		Short: "Show where a picture answers to texts",
		Long: `Show where a picture answers to texts. The folder --out gets

  maps.npy       [T, H, W] float32 in 0..1, at the size of the picture, in the order of the texts
  NN-text.png    the map of each text over the picture
  points.json    per text, points on and off the object as prompts for an interactive segmenter
  presence.json  per text, the cosine of the class token and the probability it stands for

With several --method each has a folder of its own in --out, and sheet.png shows all maps: rows are texts, columns
methods. --grid also writes grid.npy [T, rows, cols], the values by patch of which maps are made; how they are made
of them is the method's own way, or --ending's. What explanations cost is in ovbench list methods.

With --segmenter the pictures also show the points and the mask that Segment Anything makes of them, and the masks
lie in masks/, with the files that ovbench segment writes.

Each map is stretched to 0..1 on its own, so every text lights up somewhere, present or not: the
table on standard output says how probable each text is among the given ones, or a single text against
the empty one. --threshold and --otsu also write NN-text-mask.png, what is over a value of the map.

Texts are put into the 85 templates of CLIP Surgery. clip_surgery removes what all texts share: with two or
more texts the shared part of the set, with one that of the empty text; --redundant chooses.

With --caption in place of --text there is one map per token of the text, from [start] over the pieces of
words to [end]; a token has read those before it, and [end] stands for the caption. The folder gets

  maps.npy       [n, H, W], in the order of the tokens
  tokens.json    text, id, position, score, rank and peak: the score is the highest cosine of a patch
  caption.png    the map of [end] over the picture, and the tokens, the three of highest score marked
                 red, yellow and cyan

No templates are used, and no feature surgery unless --redundant labels or paper asks for it.`,
		Example: `  ovbench explain photo.jpg --model openai/clip-vit-base-patch16 --text dog --text grass --out maps
  ovbench explain photo.jpg --model openai/clip-vit-base-patch16 --text dog --method clip_surgery --method gradcam --method legrad --out sheet
  ovbench explain photo.jpg --model openai/clip-vit-base-patch16 --caption "a dog on the grass" --out tokens`,
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			e.file = args[0]
			return e.run(c)
		},
	}
	e.modelFlags.add(c)
	e.addMaps(c)
	e.addMasks(c)
	c.Flags().StringVar(&e.caption, "caption", "", "show each token of this `text` instead")
	c.Flags().Float32Var(&e.threshold, "threshold", 0, "write masks of the maps at or over this value in 0..1")
	c.Flags().BoolVar(&e.otsu, "otsu", false, "write masks over each map's own threshold (Otsu 1979)")
	c.Flags().BoolVar(&e.grid, "grid", false, "also write grid.npy: values by patch, before maps are made of them")
	c.Flags().StringVar(&e.out, "out", "", "`folder` to write")
	return c
}

// explanation is one call of explain.
type explanation struct {
	mapFlags
	maskFlags
	file, out string
	caption   string
	threshold float32 // 0 is none
	otsu      bool
	grid      bool
}

func (e *explanation) run(c *cobra.Command) error {
	usage := c.CommandPath()
	switch {
	case e.caption != "" && len(e.texts) > 0:
		return usagef(usage, "--text and --caption are two ways to look at a picture: give one")
	case e.caption != "" && (e.otsu || e.threshold != 0):
		return usagef(usage, "--threshold and --otsu are for --text")
	case e.otsu && e.threshold != 0:
		return usagef(usage, "--threshold and --otsu are two ways to cut a map: give one")
	case !(e.threshold >= 0 && e.threshold <= 1):
		return usagef(usage, "--threshold %v: want a value of the maps, in 0..1", e.threshold)
	case e.caption != "" && e.segmenter != "":
		return usagef(usage, "--segmenter is for --text: the tokens of a caption make no points")
	case e.caption != "" && e.out != "":
		return e.runCaption(c)
	case len(e.texts) == 0 && e.caption == "":
		return usagef(usage, `--text is missing: say what to look for, such as --text "a dog", or give the picture's --caption`)
	case e.out == "":
		return usagef(usage, "--out is missing: name the folder to write")
	}
	questions, err := e.questions()
	if err == nil && e.segmenter != "" && len(questions) > 1 {
		err = fmt.Errorf("--segmenter cuts out by the maps of one method: give one --method")
	}
	if err == nil {
		err = errors.Join(e.checkPoints(), e.checkPick())
	}
	if err != nil {
		return usageError{err, usage}
	}
	img, err := e.readPicture(c, e.file)
	if err != nil {
		return err
	}
	alone := len(e.texts) == 1 // then its rival is the empty text
	v, err := e.openViewer(c, questions, alone)
	if err != nil {
		return err
	}
	defer v.Close()
	seen, err := v.look(c.Context(), e.file, img)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.out, 0o777); err != nil {
		return err
	}
	texts := e.presence(seen, alone)
	for i := range seen.methods {
		if err := seen.methods[i].surgery(len(e.texts)); err != nil {
			return fmt.Errorf("%s: %w", seen.methods[i].spec, err)
		}
	}
	err = writeFile(filepath.Join(e.out, "presence.json"),
		func(w io.Writer) error { return json.NewEncoder(w).Encode(texts) })
	switch {
	case err != nil:
		return err
	case len(seen.methods) > 1:
		return e.writeSheet(c, img, seen, texts)
	case e.segmenter == "":
		return e.write(c, img, e.out, seen.methods[0], texts, e.drawMap)
	}
	return e.writeSegmented(c, v, img, seen.methods[0], texts)
}

// drawMap writes the picture of a map.
func (e *explanation) drawMap(name string, img *image.NRGBA, saliency []float32, p prompt) error {
	return reports.WritePNG(name, draw.Overlay(img, saliency, p.Text))
}

// writeSegmented writes pictures with masks beside their maps, and the masks.
func (e *explanation) writeSegmented(c *cobra.Command, v *viewer, img *image.NRGBA, s similarity,
	seen []presence) error {
	segmenter, err := e.openSegmenter(c, v.lib, e.session().Exact())
	if err != nil {
		return err
	}
	defer segmenter.Close()
	embedding, err := segmenter.Embed(c.Context(), resample.FromNRGBA(img))
	if err != nil {
		return fmt.Errorf("%s: %w", e.file, err)
	}
	var cuts []cut
	named := names{}
	err = e.write(c, img, e.out, s, seen, func(name string, img *image.NRGBA, saliency []float32, p prompt) error {
		if len(p.Points) == 0 {
			return e.drawMap(name, img, saliency, p) // of a constant map, which was said
		}
		k, err := e.cutOut(c.Context(), segmenter, embedding, p, saliency, img, e.out, named.unique(slug(p.Text)),
			filepath.Base(name))
		cuts = append(cuts, k)
		return err
	})
	if err != nil || len(cuts) == 0 {
		return err
	}
	return writeCuts(e.out, cuts)
}

// presence is one text's entry in presence.json: what the class token, which has seen the whole picture, says of it.
type presence struct {
	Text        string  `json:"text"`
	Cosine      float64 `json:"cosine"`
	Probability float64 `json:"probability"` // among the texts, or of a single text against the empty one; of each by itself under a sigmoid
}

// presence reads the global token.
func (e *explanation) presence(s sight, alone bool) []presence {
	cls := slices.Clone(s.global)
	if alone {
		cls = append(cls, s.empty...)
	}
	shares := methods.ScoreOf(s.model).Of(cls)
	out := make([]presence, len(e.texts))
	for i, text := range e.texts {
		out[i] = presence{text, float64(cls[i]), shares[i]}
	}
	return out
}

// cut writes the part of a map that is over the threshold, if one is asked for, as a picture of 0 and 255.
func (e *explanation) cut(name string, saliency []float32, w, h int) error {
	at := e.threshold
	if e.otsu {
		at = methods.Otsu(saliency)
	}
	if at == 0 && !e.otsu {
		return nil
	}
	mask := make([]float32, len(saliency))
	for i, v := range saliency {
		if v >= at {
			mask[i] = 1
		}
	}
	return reports.WritePNG(name, draw.MapImage(mask, w, h))
}

// write writes into dir what one method says, all but the pictures of the maps, which figure does under a name.
func (e *explanation) write(c *cobra.Command, img *image.NRGBA, dir string, s similarity, seen []presence,
	figure func(name string, img *image.NRGBA, saliency []float32, p prompt) error) error {
	h, w := img.Rect.Dy(), img.Rect.Dx()
	var prompts []prompt
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "text\tprobability\tpicture")
	row := func(i int) ([]float32, error) {
		text := e.texts[i]
		cells := methods.Column(s.Patches, len(e.texts), i)
		saliency, flaw := s.ending.Map(cells, s.Rows, s.Cols, h, w)
		if flaw != "" {
			fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: the map of %q by %s is %s\n", text, s.spec, flaw)
		}
		pr := e.promptOf(text, cells, s.Rows, s.Cols, w, h)
		prompts = append(prompts, pr)
		name := filepath.Join(dir, fmt.Sprintf("%02d-%s.png", i+1, slug(text)))
		if err := figure(name, img, saliency, pr); err != nil {
			return nil, err
		}
		fmt.Fprintf(table, "%s\t%.3f\t%s\n", text, seen[i].Probability, name)
		return saliency, e.cut(strings.TrimSuffix(name, ".png")+"-mask.png", saliency, w, h)
	}
	err := writeFile(filepath.Join(dir, "maps.npy"), func(out io.Writer) error {
		return tensor.WriteNPYRows(out, []int{len(e.texts), h, w}, row) // one map at a time in memory
	})
	if err == nil && e.grid {
		err = writeFile(filepath.Join(dir, "grid.npy"), func(out io.Writer) error {
			return tensor.WriteNPYRows(out, []int{len(e.texts), s.Rows, s.Cols}, func(i int) ([]float32, error) {
				return methods.Column(s.Patches, len(e.texts), i), nil
			})
		})
	}
	if err == nil {
		err = writeFile(filepath.Join(dir, "points.json"),
			func(w io.Writer) error { return json.NewEncoder(w).Encode(prompts) })
	}
	if err != nil {
		return err
	}
	return table.Flush()
}

// writeSheet writes what each of several methods says into a folder of its name, and all maps on one sheet: texts are
// its rows, methods its columns.
func (e *explanation) writeSheet(c *cobra.Command, img *image.NRGBA, seen sight, texts []presence) error {
	folders := names{}
	var columns []string
	for _, s := range seen.methods {
		columns = append(columns, s.spec)
		dir := filepath.Join(e.out, folders.unique(slug(s.spec)))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		if err := e.write(c, img, dir, s, texts, e.drawMap); err != nil {
			return err
		}
	}
	sheet := draw.Sheet(img, columns, e.texts, func(column, row, w, h int) ([]float32, string) {
		s := seen.methods[column]
		saliency, flaw := s.ending.Map(methods.Column(s.Patches, len(e.texts), row), s.Rows, s.Cols, h, w)
		return saliency, string(flaw)
	})
	return reports.WritePNG(filepath.Join(e.out, "sheet.png"), sheet)
}

// slug is text as a part of a file name.
func slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() > 60 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "text"
}
