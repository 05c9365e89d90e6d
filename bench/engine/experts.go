package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"ovbench/configs"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
)

// council is the class experts of a data set.
type council struct {
	file      *configs.Experts
	set       *configs.ExpertSet
	templates []string  // that some expert uses, each once
	of        [][][]int // by method of the suite and class the places of its experts in templates; nil where it has none
}

// openExperts reads the class experts that decide pixels, and says why they cannot.
func (p *Plan) openExperts() error {
	var faults []error
	read := map[string]*configs.Experts{}
	for k := range p.targets {
		t := &p.targets[k]
		if !t.Protocol.HasExperts() {
			continue
		}
		key := "protocol.experts"
		if p.suite.Datasets[k].Experts != "" {
			key = fmt.Sprintf("datasets[%d].experts", k)
		}
		path := p.suite.Path(t.Protocol.Experts)
		err := p.checkExperts(t)
		if err == nil && read[path] == nil {
			read[path], err = configs.ReadExperts(path)
		}
		if err == nil {
			err = p.convene(k, read[path])
		}
		if err != nil {
			faults = append(faults, p.expertFault(key, t, err))
		}
	}
	return errors.Join(faults...)
}

// expertFault is an error about class experts of a data set with the suite's line, unless it has a line of its own.
func (p *Plan) expertFault(key string, t *target, err error) error {
	if one, many := (configs.Fault{}), (configs.Faults{}); errors.As(err, &one) || errors.As(err, &many) {
		return err
	}
	return p.suite.Fault(key, "%s: %v", t.Info.Name, err)
}

// checkExperts says why class experts cannot decide the pixels of a data set.
func (p *Plan) checkExperts(t *target) error {
	for _, x := range []struct {
		bad   bool
		other string
	}{
		{t.Protocol.PAMR > 0, "pamr refines one map of each class: set protocol.pamr to 0"},
		{t.Protocol.SAMRefine > 0, "sam_refine looks at one reading's probabilities: set protocol.sam_refine to 0"},
		{t.Rule.Area > 0, "area_threshold bars classes of one reading: set protocol.area_threshold to 0"},
		{t.Rule.Margin, "margins are of one reading: set protocol.background_rule to probability"},
		{t.Protocol.JoinsAliases(), "they take the best word of a class: set protocol.aliases to max"},
		{t.Protocol.Oracle(), "they compete with all classes: set protocol.vocabulary to all"},
	} {
		if x.bad {
			return fmt.Errorf("class experts decide pixels by several readings, and %s", x.other)
		}
	}
	return p.checkReadings(t)
}

// checkReadings says why the methods' tokens, or the model's probabilities, cannot be had of single texts.
func (p *Plan) checkReadings(t *target) error {
	if p.model.Sigmoid {
		return fmt.Errorf("class experts are found and compared by probabilities of a softmax, and %s scores each text by "+
			"itself: leave them out", p.model.Name)
	}
	for i, n := range p.methods {
		models := methods.Models{ImageText: p.model.Model, Backbones: Towers(p.backbones)}
		if err := runners.CheckTokens(n.Name, p.network[t.network[i]].Method, models); err != nil {
			return p.suite.Fault(fmt.Sprintf("methods[%d]", i),
				"class experts compare a method's tokens with many texts, and %v", err)
		}
	}
	return nil
}

// convene makes a council of what a file says, which must be of this run's methods, classes and templates.
func (p *Plan) convene(k int, e *configs.Experts) error {
	t := &p.targets[k]
	if list := p.templateList(); e.Templates.SHA256 != list.SHA256 {
		return fmt.Errorf("%s has class experts out of the %d templates %s, and protocol.templates %s has %d%s: set it to "+
			"those, or find experts anew (ovbench experts)", e.File, e.Templates.Count, e.Templates.Name, list.Name, list.Count,
			map[bool]string{true: " others"}[e.Templates.Count == list.Count])
	}
	set, err := e.Set(t.Info.Name, t.expertClasses())
	if err != nil {
		return err
	}
	c := &council{file: e, set: set}
	for i := range p.methods {
		m, err := set.Method(p.expertMethod(t, i))
		if err != nil {
			return fmt.Errorf("%s: %w", e.File, err)
		}
		of := make([][]int, len(t.Info.Classes))
		for _, x := range m.Classes {
			class := slices.Index(t.Info.Classes, x.Class)
			if class < 0 {
				return fmt.Errorf("%s: experts of %q, which is no class of %s", e.File, x.Class, set.Name)
			}
			for _, expert := range x.Experts {
				if !slices.Contains(p.templates, expert.Template) {
					return fmt.Errorf("%s: the expert %q of %s is none of the templates %s", e.File, expert.Template, x.Class,
						e.Templates.Name)
				}
				if !slices.Contains(c.templates, expert.Template) {
					c.templates = append(c.templates, expert.Template)
				}
				of[class] = append(of[class], slices.Index(c.templates, expert.Template))
			}
			slices.Sort(of[class])
		}
		c.of = append(c.of, of)
	}
	t.council = c
	return nil
}

// templateList is the plan's templates, by name and content.
func (p *Plan) templateList() configs.ExpertTemplates {
	h := sha256.New()
	for _, t := range p.templates {
		fmt.Fprintln(h, t)
	}
	return configs.ExpertTemplates{Name: p.suite.Protocol.Templates, Count: len(p.templates),
		SHA256: fmt.Sprintf("%x", h.Sum(nil))}
}

// expertClasses are the classes of a data set with their words.
func (t *target) expertClasses() (out []configs.ExpertClass) {
	for i, name := range t.Info.Classes {
		out = append(out, configs.ExpertClass{Name: name, Words: t.queries[i]})
	}
	return out
}

// expertMethod is a method of the suite as it reads a data set.
func (p *Plan) expertMethod(t *target, i int) configs.ExpertMethod {
	m := p.network[t.network[i]].Method
	return configs.ExpertMethod{Kind: p.suite.Methods[i].Kind, Params: ParamText(methods.Params(m)),
		Positions: string(p.positionsOf(m))}
}

// councils reports whether class experts decide pixels of some data set.
func (p *Plan) councils() bool {
	return slices.ContainsFunc(p.targets, func(t target) bool { return t.council != nil })
}

// checkWeights says which experts were found with other networks than those of a run, whose files are hashed.
func (p *Plan) checkWeights(out *results.Run) error {
	var faults []error
	for k := range p.targets {
		c := p.targets[k].council
		if c == nil {
			continue
		}
		model, networks := expertNetworks(out)
		if !slices.Equal(c.file.Model.Weights, model.Weights) {
			faults = append(faults, p.suite.Fault("protocol.experts", "%s has class experts of the model %s, whose weights "+
				"are others than those of %s (sha256 %.12s…, not %.12s…): find experts anew (ovbench experts)", c.file.File,
				c.file.Model.Name, model.Name, c.file.Model.Weights[0], model.Weights[0]))
		}
		for _, n := range networks {
			if !p.reads(n.Name) {
				continue
			}
			i := slices.IndexFunc(c.file.Networks, func(m configs.ExpertModel) bool { return m.Name == n.Name })
			if i < 0 || !slices.Equal(c.file.Networks[i].Weights, n.Weights) {
				faults = append(faults, p.suite.Fault("protocol.experts", "%s has class experts by another backbone %s: find "+
					"experts anew (ovbench experts)", c.file.File, n.Name))
			}
		}
	}
	return errors.Join(faults...)
}

// reads reports whether some method reads a backbone of that name.
func (p *Plan) reads(backbone string) bool {
	return slices.ContainsFunc(p.methods, func(n runners.Named) bool {
		return slices.Contains(n.Method.Traits().Backbones, backbone)
	})
}

// expertNetworks are the networks of a run, whose files are hashed.
func expertNetworks(out *results.Run) (model configs.ExpertModel, networks []configs.ExpertModel) {
	model = configs.ExpertModel{Name: out.Model.Called(), Weights: out.Model.Hashes()}
	for _, n := range out.Networks {
		m := configs.ExpertModel{Name: n.Role}
		for _, f := range n.Model.Files {
			m.Weights = append(m.Weights, f.SHA256)
		}
		networks = append(networks, m)
	}
	return model, networks
}

// describe is what results say of the experts.
func (c *council) describe() *results.Experts {
	if c == nil {
		return nil
	}
	return &results.Experts{File: results.File{Path: c.file.File, SHA256: c.file.SHA256}, Dataset: c.set.Name,
		Split: c.set.Split, Samples: c.set.Samples, Pictures: c.set.Pictures}
}

// basis is the set of texts that gives the methods' tokens, if some of the targets have class experts.
func (p *Plan) basis(targets []int) *runners.TextSet {
	var wanted []int
	for _, k := range targets {
		if p.targets[k].council != nil {
			wanted = append(wanted, p.targets[k].network...)
		}
	}
	if wanted == nil {
		return nil
	}
	set := runners.Basis(p.model.Embed)
	set.Methods = wanted
	return &set
}

// tokens are those of a picture by one method on one data set.
func (s *encoded) tokens(t *target, method int) runners.Tokens {
	return runners.TokensOf(s.scan.Mosaic(t.network[method], s.basis[0], s.basis[1]))
}

// heard lets the experts of a target read a picture by a method, one after the other; their networks' time is not that
// of who hears them.
func (r *run) heard(ctx context.Context, s *encoded, target, method int,
	pause func() (resume func())) func(func(int, resample.Mosaic) error) error {
	t := &r.plan.targets[target]
	if t.council == nil {
		return nil
	}
	return func(hear func(class int, m resample.Mosaic) error) error {
		tokens := s.tokens(t, method)
		for class, templates := range t.council.of[method] {
			if templates == nil {
				continue
			}
			resume := pause()
			m, err := r.asker.Cosines(ctx, tokens, r.prompts[target].Ensemble(templates))
			resume()
			if err == nil {
				err = hear(class, m)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
