package main

import (
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/datasets/picture"
	"ovbench/reports"
	"ovbench/reports/draw"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
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
  ovbench explain photo.jpg --model openai/clip-vit-base-patch16 --caption "a dog on the grass" --out tokens`,
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			e.file = args[0]
			return e.run(c)
		},
	}
	e.add(c)
	e.size = sizeFlag{512, 512}
	c.Flags().StringArrayVar(&e.texts, "text", nil, "`text` to look for; repeat for more")
	c.Flags().StringVar(&e.caption, "caption", "", "show each token of this `text` instead")
	c.Flags().StringVar(&e.method, "method", "clip_surgery", "`method` (ovbench list methods), with parameters as in naclip:attn=kk:sigma=3")
	c.Flags().Var(&e.size, "size", "network input in pixels")
	c.Flags().StringVar(&e.positions, "positions", "reference", "positional interpolation: bilinear, bicubic, bicubic-size, bicubic-antialias, or reference for the method's own")
	c.Flags().StringVar(&e.templates, "templates", "surgery85", "none, openai80, surgery85, or a `file` with one template a line")
	c.Flags().StringVar(&e.redundant, "redundant", "", "labels, empty, paper (Eq. 6-9 as printed) or none (default: by method and number of texts)")
	c.Flags().Float32Var(&e.points.Threshold, "point-threshold", methods.DefaultPoints.Threshold, "least value of a point on the object")
	c.Flags().Float32Var(&e.threshold, "threshold", 0, "write masks of the maps at or over this value in 0..1")
	c.Flags().BoolVar(&e.otsu, "otsu", false, "write masks over each map's own threshold (Otsu 1979)")
	c.Flags().StringVar(&e.out, "out", "", "`folder` to write")
	e.points.Shrink = methods.DefaultPoints.Shrink
	return c
}

// explanation is one call of explain.
type explanation struct {
	modelFlags
	file, method, positions, templates, redundant, out string
	caption                                            string
	texts                                              []string
	size                                               sizeFlag
	points                                             methods.PointOptions
	threshold                                          float32 // 0 is none
	otsu                                               bool
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
	case e.threshold < 0 || e.threshold > 1:
		return usagef(usage, "--threshold %v: want a value of the maps, in 0..1", e.threshold)
	case e.caption != "" && e.out != "":
		return e.runCaption(c)
	case len(e.texts) == 0 && e.caption == "":
		return usagef(usage, `--text is missing: say what to look for, such as --text "a dog", or give the picture's --caption`)
	case e.out == "":
		return usagef(usage, "--out is missing: name the folder to write")
	}
	form, err := e.form()
	if err != nil {
		return usageError{err, usage}
	}
	img, err := picture.Read(e.file, picture.AsStored)
	if err != nil {
		return err
	}
	alone := len(e.texts) == 1 // then its rival is the empty text
	sim, err := e.similarities(c, img, form == methods.Empty || alone)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.out, 0o777); err != nil {
		return err
	}
	seen := e.presence(sim, alone)
	if err := methods.FeatureSurgery(form, sim.Global, sim.Patches, len(e.texts), sim.empty.Patches); err != nil {
		return err
	}
	return e.write(c, img, sim, seen)
}

// form is the feature surgery to use: as asked for, else the method's own, for which a single text means the empty text's form.
func (e *explanation) form() (methods.Redundant, error) {
	form, given, err := methods.ParseRedundant(e.redundant)
	if err != nil {
		return "", fmt.Errorf("--%w", err)
	}
	m, err := methods.Parse(e.method)
	if err != nil {
		return "", err
	}
	labels := form == methods.Labels || form == methods.Paper
	switch {
	case given && labels && len(e.texts) == 1:
		return "", fmt.Errorf("--redundant %s with a single text removes everything: give more texts, or use empty", form)
	case given:
		return form, nil
	case len(e.texts) == 1 && m.Redundant() != methods.NoSurgery:
		return methods.Empty, nil
	}
	return m.Redundant(), nil
}

// similarity is one picture's cosines with the texts.
type similarity struct {
	runners.Maps
	empty runners.Maps // with the empty text, if asked for
	scale float64      // logit scale
}

// similarities runs both towers.
func (e *explanation) similarities(c *cobra.Command, img *image.NRGBA, withEmpty bool) (s similarity, err error) {
	templates, err := clip.Templates(e.templates)
	if err != nil {
		return s, usageError{err, c.CommandPath()}
	}
	images, m, lib, err := e.openImages(c)
	if err != nil {
		return s, err
	}
	defer images.Close()
	tower, err := runners.NewTexts(lib, m.Model, m.Tokenizer, e.session())
	if err != nil {
		return s, err
	}
	defer tower.Close()
	texts := e.texts
	if withEmpty {
		texts = append(texts[:len(texts):len(texts)], "")
	}
	embeddings, err := tower.Ensemble(c.Context(), texts, templates, nil)
	if err != nil {
		return s, err
	}
	if s, err = e.compare(c, images, m, img, embeddings); err != nil {
		return s, err
	}
	if n := len(texts); withEmpty {
		s.Maps, s.empty = s.Select(0, n-1, n), s.Select(n-1, n, n)
	}
	return s, nil
}

// openImages loads the method's image tower at the size asked for.
func (e *explanation) openImages(c *cobra.Command) (*runners.Images, *engine.Model, *ort.Library, error) {
	p, err := clip.ParseInterpolation(e.positions)
	if err != nil {
		return nil, nil, nil, usageError{err, c.CommandPath()}
	}
	named, err := namedMethods(e.method)
	if err != nil {
		return nil, nil, nil, usageError{err, c.CommandPath()}
	}
	m, lib, err := e.open(c)
	if err != nil {
		return nil, nil, nil, err
	}
	h, w := e.size.or(m.Image)
	images, err := runners.NewImages(lib, m.Model, named, runners.ImageOptions{Height: h, Width: w, Positions: p, Similarities: true, Session: e.session()})
	return images, m, lib, err
}

// compare is the picture's cosines with texts [T, E], which are normalised.
func (e *explanation) compare(c *cobra.Command, images *runners.Images, m *engine.Model, img *image.NRGBA, texts tensor.Dense) (similarity, error) {
	h, w := e.size.or(m.Image)
	pixels, err := clip.Preprocess(img, h, w, clip.Squash, clip.FilterBicubic)
	if err != nil {
		return similarity{}, fmt.Errorf("%s: %w", e.file, err)
	}
	out, err := images.Similarities(c.Context(), pixels, texts)
	if err != nil {
		return similarity{}, fmt.Errorf("%s: %w", e.file, err)
	}
	return similarity{Maps: out[0].At(0), scale: m.LogitScale}, nil
}

// prompt is one text's entry in points.json.
type prompt struct {
	Text   string   `json:"text"`
	Points [][2]int `json:"points"` // x, y in pixels of the picture
	Labels []int    `json:"labels"` // 1 on the object, 0 off it
}

// presence is one text's entry in presence.json: what the class token, which has seen the whole picture, says of it.
type presence struct {
	Text        string  `json:"text"`
	Cosine      float64 `json:"cosine"`
	Probability float64 `json:"probability"` // among the texts, or of a single text against the empty one
}

// presence reads the global token.
func (e *explanation) presence(s similarity, alone bool) []presence {
	cls := s.Global
	if alone {
		cls = append(cls, s.empty.Global...)
	}
	shares := methods.Softmax(cls, s.scale)
	out := make([]presence, len(e.texts))
	for i, text := range e.texts {
		out[i] = presence{text, float64(cls[i]), shares[i]}
	}
	return out
}

// cut writes the part of a map that is over the threshold, if one is asked for, as a picture of 0 and 255.
func (e *explanation) cut(name string, heat []float32, w, h int) error {
	at := e.threshold
	if e.otsu {
		at = methods.Otsu(heat)
	}
	if at == 0 && !e.otsu {
		return nil
	}
	mask := make([]float32, len(heat))
	for i, v := range heat {
		if v >= at {
			mask[i] = 1
		}
	}
	return reports.WritePNG(name, draw.MapImage(mask, w, h))
}

func (e *explanation) write(c *cobra.Command, img *image.NRGBA, s similarity, seen []presence) error {
	h, w := img.Rect.Dy(), img.Rect.Dx()
	var prompts []prompt
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "text\tprobability\tpicture")
	row := func(i int) ([]float32, error) {
		text := e.texts[i]
		cells := methods.Column(s.Patches, len(e.texts), i)
		heat, ok := methods.SimilarityMap(cells, s.Rows, s.Cols, h, w)
		if !ok {
			fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: the map of %q is constant\n", text)
		}
		pr := prompt{Text: text, Points: [][2]int{}, Labels: []int{}}
		for _, p := range methods.Points(cells, s.Rows, s.Cols, w, h, e.points) {
			pr.Points = append(pr.Points, [2]int{p.X, p.Y})
			pr.Labels = append(pr.Labels, p.Label)
		}
		prompts = append(prompts, pr)
		name := filepath.Join(e.out, fmt.Sprintf("%02d-%s.png", i+1, slug(text)))
		if err := reports.WritePNG(name, draw.Overlay(img, heat, text)); err != nil {
			return nil, err
		}
		fmt.Fprintf(table, "%s\t%.3f\t%s\n", text, seen[i].Probability, name)
		return heat, e.cut(strings.TrimSuffix(name, ".png")+"-mask.png", heat, w, h)
	}
	err := writeFile(filepath.Join(e.out, "maps.npy"), func(out io.Writer) error {
		return tensor.WriteNPYRows(out, []int{len(e.texts), h, w}, row) // one map at a time in memory
	})
	if err == nil {
		err = writeFile(filepath.Join(e.out, "points.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(prompts) })
	}
	if err == nil {
		err = writeFile(filepath.Join(e.out, "presence.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(seen) })
	}
	if err != nil {
		return err
	}
	return table.Flush()
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
