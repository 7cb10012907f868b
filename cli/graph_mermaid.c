/* For Mermaid, which Markdown pages show: skald graph --format mermaid order.yaml */
#include "cli/graph.h"

struct mermaid {
	const struct definition *definition;
	struct bytes *out;
	struct arena arena;
	bool nomem;
};

/* Shapes by the brackets round the label. */
struct shape {
	const char *open;
	const char *close;
	const char *class;
};

static void indent(struct mermaid *mermaid, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		bytes_text(mermaid->out, "    ");
}

/* Inside quotes: Mermaid knows HTML, its own entities (#quot;) and Markdown in
 * backticks there. */
static void add_escaped(struct mermaid *mermaid, struct slice text)
{
	struct slice rest = graph_label(text);
	bool cut = rest.len < text.len;

	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.at[i];

		if (c == '"' || c == '#' || c == '&' || c == '<' || c == '>' || c == '`' ||
		    c == ';' || c == '\\')
			bytes_format(mermaid->out, "#%d;", c);
		else
			bytes_add(mermaid->out, (unsigned char)c < ' ' ? ' ' : c);
	}
	if (cut)
		bytes_text(mermaid->out, "\xe2\x80\xa6");
}

static void add_label(struct mermaid *mermaid, uint32_t index)
{
	struct graph_step says;

	if (!graph_describe(mermaid->definition, index, &mermaid->arena, &says))
		mermaid->nomem = true;
	add_escaped(mermaid, mermaid->definition->steps[index].name);
	bytes_text(mermaid->out, "<br/>");
	add_escaped(mermaid, says.does);
	for (size_t i = 0; i < says.n_lines; i++) {
		bytes_text(mermaid->out,
			   says.lines[i].is_undo ? "<br/>\xe2\x9f\xb2 " : "<br/>");
		add_escaped(mermaid, says.lines[i].text);
	}
}

static struct shape shape_of(const struct step_definition *step)
{
	switch (step->form) {
	case FORM_CALL:
	case FORM_SAGA:
		if (step->kind == KIND_PIVOT)
			return (struct shape){"{{\"", "\"}}", ":::pivot"};
		if (step->kind == KIND_READONLY)
			return (struct shape){"[\"", "\"]", ":::readonly"};
		if (step->form == FORM_SAGA)
			return (struct shape){"[[\"", "\"]]", ""};
		break;
	case FORM_NOTHING: return (struct shape){"[\"", "\"]", ":::readonly"};
	case FORM_PARALLEL:
	case FORM_EACH: return (struct shape){"[/\"", "\"\\]", ""};
	case FORM_AWAIT:
	case FORM_SLEEP: return (struct shape){"([\"", "\"])", ""};
	}
	return (struct shape){"[\"", "\"]", ""};
}

static void add_nodes(struct mermaid *mermaid, const struct branch *list, unsigned depth);

static void add_branches(struct mermaid *mermaid, uint32_t index, unsigned depth)
{
	const struct step_definition *step = &mermaid->definition->steps[index];

	for (uint32_t i = 0; i < step->n_branches; i++) {
		const struct branch *branch = &step->branches[i];

		indent(mermaid, depth);
		bytes_format(mermaid->out, "subgraph branch%u_%u [\"", index, i);
		add_escaped(mermaid, branch->name);
		bytes_text(mermaid->out, "\"]\n");
		add_nodes(mermaid, branch, depth + 1);
		indent(mermaid, depth);
		bytes_text(mermaid->out, "end\n");
	}
	indent(mermaid, depth);
	bytes_format(mermaid->out, "join%u((\" \"))\n", index);
}

/* Nesting is limited, and so is this recursion. */
static void add_nodes(struct mermaid *mermaid, const struct branch *list, unsigned depth)
{
	for (uint32_t i = list->first; i != NO_STEP; i = mermaid->definition->steps[i].next) {
		const struct step_definition *step = &mermaid->definition->steps[i];
		struct shape shape = shape_of(step);

		indent(mermaid, depth);
		bytes_format(mermaid->out, "step%u%s", i, shape.open);
		add_label(mermaid, i);
		bytes_format(mermaid->out, "%s%s\n", shape.close, shape.class);
		if (step->n_branches)
			add_branches(mermaid, i, depth);
	}
}

/* The node at which a step is left. */
static const char *exit_of(const struct step_definition *step)
{
	return step->n_branches ? "join" : "step";
}

static void add_ways(struct mermaid *mermaid, const struct branch *list)
{
	const struct step_definition *steps = mermaid->definition->steps;

	for (uint32_t i = list->first; i != NO_STEP; i = steps[i].next) {
		for (uint32_t b = 0; b < steps[i].n_branches; b++) {
			const struct branch *branch = &steps[i].branches[b];

			bytes_format(mermaid->out, "    step%u --> step%u\n", i, branch->first);
			add_ways(mermaid, branch);
			bytes_format(mermaid->out, "    %s%u --> join%u\n",
				     exit_of(&steps[branch->last]), branch->last, i);
		}
		if (steps[i].next != NO_STEP)
			bytes_format(mermaid->out, "    %s%u %s step%u\n", exit_of(&steps[i]),
				     i,
				     steps[i].kind == KIND_PIVOT ? "== point of no return ==>"
								 : "-->",
				     steps[i].next);
	}
}

enum err graph_mermaid(const struct definition *definition, struct bytes *out)
{
	const struct branch *top = &definition->top;
	struct mermaid mermaid = {.definition = definition, .out = out};

	bytes_text(out, "flowchart TD\n    start([\"");
	add_escaped(&mermaid, definition->name);
	bytes_add(out, ' ');
	add_escaped(&mermaid, definition->version);
	bytes_text(out, "\"])\n");
	add_nodes(&mermaid, top, 1);
	bytes_text(out, "    completed([\"completed\"])\n");
	bytes_format(out, "    start --> step%u\n", top->first);
	add_ways(&mermaid, top);
	bytes_format(out, "    %s%u --> completed\n", exit_of(&definition->steps[top->last]),
		     top->last);
	bytes_text(out, "    classDef pivot fill:#fff2cc,stroke:#b58900,stroke-width:3px\n"
			"    classDef readonly stroke-dasharray: 4 3\n");
	arena_release(&mermaid.arena);
	return mermaid.nomem ? ERR_NOMEM : out->err;
}
