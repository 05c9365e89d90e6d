// Package results answers: what did one invocation ask, resolve and measure?
//
// A [Run] is that answer, and the only thing reports are made from. It lies in a
// run folder as one file, results.json, which [Read] and [Run.Write] know;
// FORMAT.md beside this file describes every key of it. Other files of the
// folder (pictures, label maps) are named by the Run with slash-separated paths
// relative to the folder, and opened with [Run.Open].
//
// Scores are fractions as they were computed: nothing in a Run is rounded, and
// what is undefined (the IoU of a class that never occurs) is absent.
package results

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Schema names the format of results.json. It changes when a reader of the old
// format would misunderstand a file of the new one.
const Schema = "ovbench.run/1"

// Run is everything one invocation asked, resolved and measured.
//
// The zero Run can be filled and written. A Run that is no longer changed may be
// shared by goroutines.
type Run struct {
	Schema   string `json:"schema"`
	Complete bool   `json:"complete"` // every job of the plan was finished
	// Fingerprint is of all that samples have in common: weights, methods, protocol, class names, data. Records of
	// equal fingerprints may be joined.
	Fingerprint string    `json:"fingerprint,omitempty"`
	Shard       string    `json:"shard,omitempty"` // "2/8": the second of eight parts
	Tool        Tool      `json:"tool"`
	Host        Host      `json:"host"`
	Started     time.Time `json:"started"`
	Finished    time.Time `json:"finished"`
	Command     []string  `json:"command,omitempty"`

	Suite    Suite     `json:"suite"`
	Model    Model     `json:"model"`
	Networks []Network `json:"networks,omitempty"` // beside Model, by role
	Runtime  Runtime   `json:"runtime"`
	Protocol Protocol  `json:"protocol"`
	Methods  []Method  `json:"methods,omitempty"`
	Datasets []Dataset `json:"datasets,omitempty"`

	Cells    []Cell    `json:"cells,omitempty"`
	Failures []Failure `json:"failures,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Timing   Timing    `json:"timing"`
	Panels   []Panel   `json:"panels,omitempty"`

	// Label is what a reader calls the run beside others. It is not in the file.
	Label string `json:"-"`
	// Choice says in words which samples Panels are, if a reader chose among those of the file. It is not in the file.
	Choice string `json:"-"`
	// Dir is the run folder, the base of the paths in Panels. Read and Write set it; it is not in the file.
	Dir string `json:"-"`
}

// Tool is the program that measured.
type Tool struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source
	Dirty    bool   `json:"dirty,omitempty"`    // the source had changes beyond Revision
	Go       string `json:"go,omitempty"`
	OS       string `json:"os,omitempty"`
	Arch     string `json:"arch,omitempty"`
}

// Host is the machine.
type Host struct {
	Name        string `json:"name,omitempty"`
	CPU         string `json:"cpu,omitempty"`
	Cores       int    `json:"cores,omitempty"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
}

// Suite is what was asked, with the file it was read from.
type Suite struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	File   string `json:"file,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // of Text
	Text   string `json:"text,omitempty"`   // the file, word for word
	// Metrics are the scores that the suite chose, in its order; none: all of the task.
	Metrics []string `json:"metrics,omitempty"`
}

// File is a file that was read, by what it contained.
type File struct {
	Path   string `json:"path,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// Model is the checkpoint that was resolved.
type Model struct {
	Name         string  `json:"name"`            // as asked for
	Title        string  `json:"title,omitempty"` // what the suite calls it
	Path         string  `json:"path,omitempty"`
	Format       string  `json:"format,omitempty"`
	Files        []File  `json:"files,omitempty"`
	Architecture string  `json:"architecture,omitempty"`
	Activation   string  `json:"activation,omitempty"`
	ImageSize    int     `json:"image_size,omitempty"` // pixels the model was trained at
	Patch        int     `json:"patch,omitempty"`      // pixels
	Layers       int     `json:"layers,omitempty"`
	Width        int     `json:"width,omitempty"`
	Heads        int     `json:"heads,omitempty"`
	Embed        int     `json:"embed,omitempty"`       // width of the joint space
	LogitScale   float64 `json:"logit_scale,omitempty"` // the factor, after exp
	LogitBias    float64 `json:"logit_bias,omitempty"`  // added to it by models of a sigmoid loss
	Cleaning     string  `json:"cleaning,omitempty"`    // of texts before the tokenizer, by the name of package tokenizer
	Vocabulary   File    `json:"vocabulary,omitzero"`
}

// Network is a network beside the image-text model.
type Network struct {
	Role  string `json:"role"` // the name that methods ask with
	Model Model  `json:"model"`
}

// Runtime is the library that computed, and how it was set up.
type Runtime struct {
	Name      string `json:"name,omitempty"`
	Version   string `json:"version,omitempty"`
	Path      string `json:"path,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Threads   int    `json:"threads,omitempty"`   // of one session
	Jobs      int    `json:"jobs,omitempty"`      // images at the same time
	Batch     int    `json:"batch,omitempty"`     // images or windows that a network took together at most; 0 is one image
	Mmap      bool   `json:"mmap,omitempty"`      // weights were mapped, not read
	Device    string `json:"device,omitempty"`    // cuda, openvino …; the CPU where it is empty
	Precision string `json:"precision,omitempty"` // of products: bf16, f16; float32 where it is empty
	Attention string `json:"attention,omitempty"`
	JPEG      string `json:"jpeg,omitempty"` // the decoder: built-in or libjpeg-turbo; image/jpeg in older runs
}

// Method is a method with every parameter it ran with. Numbers in Params are float64 once they have been read.
type Method struct {
	Name      string         `json:"name"` // unique in the run
	Kind      string         `json:"kind,omitempty"`
	Params    map[string]any `json:"params,omitempty"`
	Positions string         `json:"positions,omitempty"`
	// networks and data beyond the image-text model: "DINO", "SAM"; [Trained] if it was trained beyond the weights
	Needs []string `json:"needs,omitempty"`
}

// Trained stands in a method's needs if it was trained beyond the weights.
const Trained = "trained"

// Imported is the kind of a method whose maps another program made.
const Imported = "import"

// League is what a method needs in the words of the field: CLIP, CLIP + DINO, CLIP + DINO + SAM, trained.
func League(needs []string) string {
	first := "CLIP"
	if slices.Contains(needs, Trained) {
		first = Trained
	}
	rest := slices.DeleteFunc(slices.Clone(needs), func(n string) bool { return n == Trained })
	return strings.Join(append([]string{first}, rest...), " + ")
}

// League is what the method needs. Of another program's that is what was said at the import.
func (m *Method) League() string {
	switch {
	case m == nil:
		return ""
	case m.Kind == Imported && len(m.Needs) == 0:
		return "not said"
	}
	return League(m.Needs)
}

// Leagues are what methods need beyond the image-text model, in the order in which tables name them.
var Leagues = []string{"DINO", "SAM", "Stable Diffusion", "language model", "reference pictures",
	Trained}

// Protocol is all that changes a number and is not the method. Runs of one
// Fingerprint may be compared. Numbers in Fields are float64 once they have been read.
type Protocol struct {
	Name        string         `json:"name,omitempty"`
	Fingerprint string         `json:"fingerprint,omitempty"`
	Fields      map[string]any `json:"fields,omitempty"`
}

// OracleNote says what scores under an oracle vocabulary are.
const OracleNote = "ORACLE VOCABULARY: only the classes in each picture's truth competed, which no method can know. " +
	"These scores are upper bounds, not results of a method."

// Dataset is a data set as it was found on disk.
type Dataset struct {
	Name       string `json:"name"` // unique in the run
	Title      string `json:"title,omitempty"`
	Split      string `json:"split,omitempty"`
	Root       string `json:"root,omitempty"`
	ListSHA256 string `json:"list_sha256,omitempty"` // of the sample ids, in order, each with a newline
	Images     int    `json:"images"`                // in the split
	// planned, over all shards: ranges of indices such as "0-99,120"
	Samples    string     `json:"samples,omitempty"`
	Official   int        `json:"official,omitempty"` // images of the official split, if known
	Measured   int        `json:"measured"`           // of these
	Classes    []string   `json:"classes,omitempty"`  // by label
	Queries    [][]string `json:"queries,omitempty"`  // by label: the texts a class was asked with
	QuerySet   string     `json:"query_set,omitempty"`
	Templates  int        `json:"templates,omitempty"`  // prompts averaged for one query
	Background bool       `json:"background,omitempty"` // Classes[0] is the background
	// as it holds on this data set: what Run.Protocol says of it included
	Protocol Protocol `json:"protocol,omitzero"`
	// Params are parameters that methods had on this data set and not by Run.Methods, by the method's name.
	Params map[string]map[string]any `json:"params,omitempty"`
	// Experts decided pixels beside the reading by all templates; nil without.
	Experts *Experts `json:"experts,omitempty"`
}

// Experts are templates of single classes, found without labels (FLOSS, arXiv 2504.10487).
type Experts struct {
	File     File   `json:"file"`
	Dataset  string `json:"dataset"` // on whose pictures they were found, as all below
	Split    string `json:"split,omitempty"`
	Samples  string `json:"samples,omitempty"` // ranges of indices
	Pictures int    `json:"pictures"`
}

// Hash is the SHA-256 of the file of experts, "" without.
func (e *Experts) Hash() string {
	if e == nil {
		return ""
	}
	return e.File.SHA256
}

// Note says what scores by experts are.
func (e *Experts) Note() string {
	return fmt.Sprintf("class experts decided pixels, templates found without labels on %d pictures of %s %s (%s, sha256 "+
		"%.12s)", e.Pictures, e.Dataset, e.Split, path.Base(e.File.Path), e.File.SHA256)
}

// Cell is what one method scored on one data set.
type Cell struct {
	Dataset    string `json:"dataset"`
	Method     string `json:"method"`
	Task       string `json:"task,omitempty"`
	Convention string `json:"convention,omitempty"`
	Images     int    `json:"images"` // behind the scores
	// Counts are what a reader of the scores must know of the images, maps and classes behind them, by name;
	// FORMAT.md lists the names. A count that is 0 was looked for and not found; one that is absent was not looked
	// for.
	Counts  map[string]int `json:"counts,omitempty"`
	Scores  []Score        `json:"scores,omitempty"`
	Classes []ClassScore   `json:"classes,omitempty"`
	Curves  []Curve        `json:"curves,omitempty"`
	// Confusions are the largest cells off the diagonal of the pooled confusion matrix, [truth, prediction, pixels]
	// with labels of the data set, largest first. They are few: not the matrix, but what there is to see of it.
	Confusions [][3]int64 `json:"confusions,omitempty"`
	Warnings   []string   `json:"warnings,omitempty"`
}

// Curve is a measurement over another one: a score over thresholds, precision over recall. X does not fall.
type Curve struct {
	Name   string    `json:"name"` // unique in the cell; curves of one name share a figure
	XLabel string    `json:"x_label"`
	YLabel string    `json:"y_label"`
	X      []float64 `json:"x"`
	Y      []float64 `json:"y"` // as many as X
}

// Score is a number under the metric's usual name ("mIoU"), a fraction in full precision. Low and High bound it with
// confidence Level, from Resamples bootstrap resamples of the images; both are nil where no interval was asked for.
type Score struct {
	Name      string   `json:"name"`
	Value     float64  `json:"value"`
	Low       *float64 `json:"low,omitempty"`
	High      *float64 `json:"high,omitempty"`
	Level     float64  `json:"level,omitempty"`
	Resamples int      `json:"resamples,omitempty"`
}

// ClassScore is a class of a Cell. Scores are nil where they are undefined.
type ClassScore struct {
	Class     string   `json:"class"`
	IoU       *float64 `json:"iou,omitempty"`
	Acc       *float64 `json:"acc,omitempty"` // recall
	Precision *float64 `json:"precision,omitempty"`
	Dice      *float64 `json:"dice,omitempty"`
	AP        *float64 `json:"ap,omitempty"`     // average precision of a ranking of the images
	Images    int64    `json:"images,omitempty"` // that have the class, where images were ranked
	Pixels    int64    `json:"pixels"`           // of the class in the truth
	Predicted int64    `json:"predicted"`        // pixels given to the class
}

// Failure is a sample that could not be measured.
type Failure struct {
	Dataset string `json:"dataset"`
	ID      string `json:"id"`
	Stage   string `json:"stage,omitempty"`
	Error   string `json:"error"`
}

// Timing is where the time went. Stages of several workers overlap, so Seconds may add up to more than Wall.
type Timing struct {
	Seconds map[string]float64 `json:"seconds,omitempty"` // total of a stage
	Wall    float64            `json:"wall"`              // seconds
	CPU     float64            `json:"cpu,omitempty"`     // seconds of all cores together
}

// Panel is a sample to look at. All paths are slash-separated, relative to the run folder, and inside it.
type Panel struct {
	Dataset     string            `json:"dataset"`
	ID          string            `json:"id"`
	Image       string            `json:"image"`
	Truth       string            `json:"truth,omitempty"`       // label map
	Predictions map[string]string `json:"predictions,omitempty"` // label map by method
	Maps        []PanelMap        `json:"maps,omitempty"`
}

// PanelMap is the similarity of an image to one class: a grey PNG, black 0, white 1.
type PanelMap struct {
	Method string `json:"method"`
	Class  string `json:"class"`
	Path   string `json:"path"`
}

// Dataset returns the data set of that name, or nil.
func (r *Run) Dataset(name string) *Dataset {
	for i := range r.Datasets {
		if r.Datasets[i].Name == name {
			return &r.Datasets[i]
		}
	}
	return nil
}

// Oracle reports whether the truth of each picture said which classes competed for it.
func (d *Dataset) Oracle() bool { return d != nil && d.Protocol.Fields["vocabulary"] == "oracle" }

// Method returns the method of that name, or nil.
func (r *Run) Method(name string) *Method {
	for i := range r.Methods {
		if r.Methods[i].Name == name {
			return &r.Methods[i]
		}
	}
	return nil
}

// Cell returns the first cell of a data set and a method, or nil. There are
// several only where a run scored under several tasks or conventions.
func (r *Run) Cell(dataset, method string) *Cell {
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Dataset == dataset && c.Method == method {
			return c
		}
	}
	return nil
}

// Score returns the score of that name, or nil. The Cell may be nil.
func (c *Cell) Score(name string) *Score {
	if c == nil {
		return nil
	}
	for i := range c.Scores {
		if c.Scores[i].Name == name {
			return &c.Scores[i]
		}
	}
	return nil
}

// Failed is the number of samples of a data set that could not be measured.
func (r *Run) Failed(dataset string) int {
	n := 0
	for _, f := range r.Failures {
		if f.Dataset == dataset {
			n++
		}
	}
	return n
}

// Headline is the score that tables show of a cell: the first that the suite chose; else mIoU, else the first.
func (r *Run) Headline(c *Cell) string {
	switch {
	case len(r.Suite.Metrics) == 0 && c.Score("mIoU") != nil:
		return "mIoU"
	case len(c.Scores) > 0:
		return c.Scores[0].Name
	}
	return ""
}

// Hashes are those of a run's weights and of its vocabulary.
func (r *Run) Hashes() []string {
	out := r.Model.Hashes()
	for _, n := range r.Networks {
		for _, f := range n.Model.Files {
			out = append(out, f.SHA256)
		}
	}
	return out
}

// Sigmoid reports whether the model scores each text by itself, by a sigmoid: such a model has a bias.
func (m *Model) Sigmoid() bool { return m.LogitBias != 0 }

// Called is what tables call a model: its title, or its name without the folders that it lies in; names of the hub
// stay whole.
func (m *Model) Called() string {
	name := filepath.ToSlash(m.Name)
	switch {
	case m.Title != "":
		return m.Title
	case path.IsAbs(name), strings.HasPrefix(name, "."), strings.HasPrefix(name, "~"), strings.Count(name, "/") > 1:
		return path.Base(name)
	}
	return m.Name
}

// Hashes are those of the model's weight files, and of its vocabulary.
func (m *Model) Hashes() (out []string) {
	for _, f := range append(slices.Clone(m.Files), m.Vocabulary) {
		out = append(out, f.SHA256)
	}
	return out
}
