package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ovbench/reports"
	"ovbench/reports/draw"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// captionToken is one token's entry in tokens.json.
type captionToken struct {
	Text     string  `json:"text"` // "[start]" and "[end]" around the pieces of words
	ID       int32   `json:"id"`
	Position int     `json:"position"`
	Open     bool    `json:"open"`  // the word goes on in the next token
	Score    float64 `json:"score"` // the highest cosine of any patch with the token
	Rank     int     `json:"rank"`  // 1 is the highest score
	Peak     [2]int  `json:"peak"`  // x, y of that patch's middle in pixels of the picture
}

// runCaption shows one map per token of a caption (arXiv 2304.05653, the multimodal visualisation).
func (e *explanation) runCaption(c *cobra.Command) error {
	form, given, err := methods.ParseFeatureSurgery(e.redundant)
	switch {
	case err != nil:
		return usageError{fmt.Errorf("--%w", err), c.CommandPath()}
	case !given:
		form = methods.NoSurgery
	case form == methods.Empty:
		return usagef(c.CommandPath(),
			"--redundant empty is of no use for the tokens of a caption: use none, labels or paper")
	}
	if c.Flags().Changed("templates") {
		return usagef(c.CommandPath(), "--templates is for --text: a caption is read as it is")
	}
	img, err := e.readPicture(c, e.file)
	if err != nil {
		return err
	}
	questions, err := e.questions()
	if err == nil && len(questions) > 1 {
		err = fmt.Errorf("--caption shows the tokens by one method: give one --method")
	}
	if err != nil {
		return usageError{err, c.CommandPath()}
	}
	caption, sim, err := e.captionSimilarities(c, questions, img)
	if err != nil {
		return err
	}
	tokens := rankTokens(caption, sim, img.Rect.Dx(), img.Rect.Dy())
	if err := form.Apply(sim.Global, sim.Patches, len(tokens), nil, sim.score); err != nil {
		return err
	}
	return e.writeCaption(c, img, sim, tokens)
}

// captionSimilarities are the cosines of the picture with the n tokens of the caption.
func (e *explanation) captionSimilarities(c *cobra.Command, questions []question,
	img *image.NRGBA) (caption runners.Caption, s similarity, err error) {
	v, err := e.openImages(c, questions)
	if err != nil {
		return caption, s, err
	}
	defer v.Close()
	v.unread(e.caption)
	if caption, err = runners.EncodeCaption(c.Context(), v.lib, v.model.Model, v.model.Tokenizer, e.caption,
		e.session().Exact()); err != nil {
		return caption, s, err
	}
	runners.Normalize(caption.Embeddings)
	all, err := v.compare(c.Context(), e.file, img, caption.Embeddings, 0)
	if err != nil {
		return caption, s, err
	}
	return caption, all.methods[0], nil
}

// rankTokens scores tokens by their highest cosine with a patch. Equal scores rank in reading order.
func rankTokens(c runners.Caption, s similarity, w, h int) []captionToken {
	tokens := make([]captionToken, len(c.IDs))
	order := make([]int, len(tokens))
	for i := range tokens {
		column := methods.Column(s.Patches, len(tokens), i)
		best := 0
		for k, v := range column {
			if v > column[best] {
				best = k
			}
		}
		at := func(cell, cells, side int) int { return (2*cell + 1) * side / (2 * cells) }
		tokens[i] = captionToken{
			Text: c.Words[i], Open: c.Open[i], ID: c.IDs[i], Position: i, Score: float64(column[best]),
			Peak: [2]int{at(best%s.Cols, s.Cols, w), at(best/s.Cols, s.Rows, h)},
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tokens[b].Score, tokens[a].Score) })
	for rank, i := range order {
		tokens[i].Rank = rank + 1
	}
	return tokens
}

func (e *explanation) writeCaption(c *cobra.Command, img *image.NRGBA, s similarity, tokens []captionToken) error {
	if err := os.MkdirAll(e.out, 0o777); err != nil {
		return err
	}
	h, w := img.Rect.Dy(), img.Rect.Dx()
	var whole []float32 // the end token's map, which stands for the caption
	strip := make([]draw.Token, len(tokens))
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "position\ttoken\tcosine\trank")
	for i, t := range tokens {
		strip[i] = draw.Token{Text: t.Text, Open: t.Open, Score: t.Score, Rank: t.Rank}
		fmt.Fprintf(table, "%d\t%s\t%.3f\t%d\n", i, t.Text, t.Score, t.Rank)
	}
	row := func(i int) ([]float32, error) {
		saliency, flaw := s.ending.Map(methods.Column(s.Patches, len(tokens), i), s.Rows, s.Cols, h, w)
		if flaw != "" {
			fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: the map of token %d, %q, is %s\n", i, tokens[i].Text, flaw)
		}
		whole = saliency
		return saliency, nil
	}
	// One map at a time: all of them, for a photograph, would be gigabytes.
	err := writeFile(filepath.Join(e.out, "maps.npy"), func(out io.Writer) error {
		return tensor.WriteNPYRows(out, []int{len(tokens), h, w}, row)
	})
	if err != nil {
		return err
	}
	err = writeFile(filepath.Join(e.out, "tokens.json"), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(map[string]any{"caption": e.caption, "tokens": tokens})
	})
	if err != nil {
		return err
	}
	if err := reports.WritePNG(filepath.Join(e.out, "caption.png"), draw.Caption(img, whole, e.caption,
		strip)); err != nil {
		return err
	}
	return table.Flush()
}
