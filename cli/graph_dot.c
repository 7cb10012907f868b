/* For Graphviz: skald graph --format dot order.yaml | dot -Tsvg >order.svg */
#include "cli/graph.h"

struct dot {
	const struct definition *definition;
	struct bytes *out;
	struct arena arena;
	bool nomem;
};

static void indent(struct dot *dot, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		bytes_add(dot->out, '\t');
}

/* Inside quotes: Graphviz knows escapes and HTML entities there. */
static void add_escaped(struct dot *dot, struct slice text)
{
	struct slice rest = graph_label(text);
	bool cut = rest.len < text.len;

	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.at[i];

		if (c == '"' || c == '\\')
			bytes_add(dot->out, '\\');
		if (c == '&')
			bytes_text(dot->out, "&amp;");
		else
			bytes_add(dot->out, (unsigned char)c < ' ' ? ' ' : c);
	}
	if (cut)
		bytes_text(dot->out, "\xe2\x80\xa6");
}

static void add_label(struct dot *dot, uint32_t index)
{
	struct graph_step says;

	if (!graph_describe(dot->definition, index, &dot->arena, &says))
		dot->nomem = true;
	add_escaped(dot, dot->definition->steps[index].name);
	bytes_text(dot->out, "\\n");
	add_escaped(dot, says.does);
	for (size_t i = 0; i < says.n_lines; i++) {
		bytes_text(dot->out, says.lines[i].is_undo ? "\\n\xe2\x9f\xb2 " : "\\n");
		add_escaped(dot, says.lines[i].text);
	}
}

static const char *attributes_of(const struct step_definition *step)
{
	switch (step->form) {
	case FORM_CALL:
	case FORM_SAGA:
		if (step->kind == KIND_PIVOT)
			return ", shape=octagon, style=\"filled,bold\", fillcolor=\"#fff2cc\"";
		if (step->form == FORM_SAGA)
			return ", style=\"rounded,bold\", peripheries=2";
		return step->kind == KIND_READONLY ? ", style=\"rounded,dashed\"" : "";
	case FORM_NOTHING: return ", style=\"rounded,dotted\"";
	case FORM_PARALLEL:
	case FORM_EACH: return ", shape=trapezium";
	case FORM_AWAIT: return ", shape=hexagon";
	case FORM_SLEEP: return ", shape=ellipse";
	}
	return "";
}

static void add_nodes(struct dot *dot, const struct branch *list, unsigned depth);

static void add_branches(struct dot *dot, uint32_t index, unsigned depth)
{
	const struct step_definition *step = &dot->definition->steps[index];

	for (uint32_t i = 0; i < step->n_branches; i++) {
		const struct branch *branch = &step->branches[i];

		indent(dot, depth);
		bytes_format(dot->out, "subgraph cluster_%u_%u {\n", index, i);
		indent(dot, depth + 1);
		bytes_text(dot->out, "label=\"");
		add_escaped(dot, branch->name);
		bytes_text(dot->out, "\";\n");
		add_nodes(dot, branch, depth + 1);
		indent(dot, depth);
		bytes_text(dot->out, "}\n");
	}
	indent(dot, depth);
	bytes_format(dot->out, "join%u [shape=point];\n", index);
}

/* Nesting is limited, and so is this recursion. */
static void add_nodes(struct dot *dot, const struct branch *list, unsigned depth)
{
	for (uint32_t i = list->first; i != NO_STEP; i = dot->definition->steps[i].next) {
		const struct step_definition *step = &dot->definition->steps[i];

		indent(dot, depth);
		bytes_format(dot->out, "step%u [label=\"", i);
		add_label(dot, i);
		bytes_format(dot->out, "\"%s];\n", attributes_of(step));
		if (step->n_branches)
			add_branches(dot, i, depth);
	}
}

/* The node at which a step is left. */
static const char *exit_of(const struct step_definition *step)
{
	return step->n_branches ? "join" : "step";
}

static void add_ways(struct dot *dot, const struct branch *list)
{
	const struct step_definition *steps = dot->definition->steps;

	for (uint32_t i = list->first; i != NO_STEP; i = steps[i].next) {
		for (uint32_t b = 0; b < steps[i].n_branches; b++) {
			const struct branch *branch = &steps[i].branches[b];

			bytes_format(dot->out, "\tstep%u -> step%u;\n", i, branch->first);
			add_ways(dot, branch);
			bytes_format(dot->out, "\t%s%u -> join%u;\n",
				     exit_of(&steps[branch->last]), branch->last, i);
		}
		if (steps[i].next == NO_STEP)
			continue;
		bytes_format(dot->out, "\t%s%u -> step%u", exit_of(&steps[i]), i,
			     steps[i].next);
		if (steps[i].kind == KIND_PIVOT)
			bytes_text(dot->out, " [label=\"point of no return\", style=bold]");
		bytes_text(dot->out, ";\n");
	}
}

enum err graph_dot(const struct definition *definition, struct bytes *out)
{
	const struct branch *top = &definition->top;
	struct dot dot = {.definition = definition, .out = out};

	bytes_text(out, "digraph \"");
	add_escaped(&dot, definition->name);
	bytes_text(out, "\" {\n\tlabelloc=t;\n\tlabel=\"");
	add_escaped(&dot, definition->name);
	bytes_text(out, " ");
	add_escaped(&dot, definition->version);
	if (definition->description.len) {
		bytes_text(out, "\\n");
		add_escaped(&dot, definition->description);
	}
	bytes_text(out, "\";\n\tnode [shape=box, style=rounded];\n");
	bytes_text(out, "\tstart [shape=circle, label=\"\", width=0.2];\n");
	add_nodes(&dot, top, 1);
	bytes_text(out, "\tcompleted [shape=doublecircle, label=\"\", width=0.2];\n\n");
	bytes_format(out, "\tstart -> step%u;\n", top->first);
	add_ways(&dot, top);
	bytes_format(out, "\t%s%u -> completed;\n}\n", exit_of(&definition->steps[top->last]),
		     top->last);
	arena_release(&dot.arena);
	return dot.nomem ? ERR_NOMEM : out->err;
}
