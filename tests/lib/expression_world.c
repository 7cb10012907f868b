#include "tests/lib/expression_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A text as an initializer of a constant. */
#define TEXT(literal)                              \
	{                                          \
		"" literal "", sizeof(literal) - 1 \
	}

#define TYPES(...)      .types = (__VA_ARGS__), .additional = &schema_any, UNLIMITED
#define UNLIMITED       .max_length = UINT32_MAX, .max_items = UINT32_MAX
#define MEMBERS(list)   .properties = (list), .n_properties = COUNT_OF(list)
#define REQUIRED(names) .required = (names), .n_required = COUNT_OF(names)

static const struct schema text = {TYPES(TYPE_OF(JSON_TEXT))};
static const struct schema text_or_null = {TYPES(TYPE_OF(JSON_TEXT) | TYPE_OF(JSON_NULL))};
static const struct schema number = {TYPES(TYPE_OF(JSON_NUMBER))};
static const struct schema boolean = {TYPES(TYPE_OF(JSON_BOOL))};
static const struct schema whole = {TYPES(TYPE_OF(JSON_NUMBER)), .whole_numbers = true};
static const struct schema quantity = {TYPES(TYPE_OF(JSON_NUMBER)), .whole_numbers = true,
				       .has_minimum = true,         .minimum = {1, 0},
				       .has_maximum = true,         .maximum = {100, 0}};
static const struct schema price = {TYPES(TYPE_OF(JSON_NUMBER)), .has_minimum = true,
				    .minimum = {0, 0}};
static const struct schema texts = {TYPES(TYPE_OF(JSON_LIST)), .items = &text};
static const struct json states[] = {{TEXT("\"new\"")}, {TEXT("\"old\"")}};
static const struct schema status = {TYPES(TYPE_ANY), .choices = states, .n_choices = 2};

static const struct schema_property address_members[] = {
	{TEXT("street"), &text},
	{TEXT("city"), &text},
	{TEXT("zip"), &text_or_null},
};
static const struct slice address_required[] = {TEXT("street"), TEXT("city")};
static const struct schema address = {.types = TYPE_OF(JSON_OBJECT),
				      UNLIMITED,
				      MEMBERS(address_members),
				      REQUIRED(address_required)};

static const struct schema_property line_members[] = {
	{TEXT("sku"), &text},
	{TEXT("price"), &number},
};
static const struct slice line_required[] = {TEXT("sku"), TEXT("price")};
static const struct schema line = {.types = TYPE_OF(JSON_OBJECT),
				   UNLIMITED,
				   MEMBERS(line_members),
				   REQUIRED(line_required)};
static const struct schema lines = {.types = TYPE_OF(JSON_LIST),
				    .max_length = UINT32_MAX,
				    .min_items = 1,
				    .max_items = 5,
				    .items = &line};

static const struct schema_property input_members[] = {
	{TEXT("sku"), &text},          {TEXT("qty"), &quantity}, {TEXT("total"), &number},
	{TEXT("price"), &price},       {TEXT("size"), &whole},   {TEXT("vip"), &boolean},
	{TEXT("note"), &text_or_null}, {TEXT("tags"), &texts},   {TEXT("email"), &text},
	{TEXT("address"), &address},   {TEXT("lines"), &lines},  {TEXT("status"), &status},
	{TEXT("any"), &schema_any},
};
static const struct slice input_required[] = {TEXT("sku"), TEXT("qty"), TEXT("total"),
					      TEXT("price"), TEXT("lines")};
const struct schema world_input = {.types = TYPE_OF(JSON_OBJECT),
				   UNLIMITED,
				   MEMBERS(input_members),
				   REQUIRED(input_required)};

const char world_values[] =
	"{\"input\":{\"sku\":\"A-1\",\"qty\":3,\"total\":129.90,\"price\":43.3,\"size\":42,"
	"\"vip\":true,\"note\":null,\"tags\":[\"new\",\"red\"],\"email\":\"ann@example.com\","
	"\"address\":{\"street\":\"High St\",\"city\":\"Z\\u00fcrich\",\"zip\":\"8001\"},"
	"\"lines\":[{\"sku\":\"A-1\",\"price\":100},{\"sku\":\"B-2\",\"price\":29.90}],"
	"\"status\":\"new\","
	"\"any\":{\"a b\":1,\"big\":123456789012345678901234567890,\"e\":1e3,"
	"\"quote\":\"say \\\"hi\\\"\",\"list\":[1,\"x\",null,true],\"deep\":[[1]]}},"
	"\"steps\":{\"reserve\":{\"id\":\"R-7\",\"count\":3,\"ok\":true},"
	"\"check-stock\":{\"left\":5},\"quote\":{\"total\":99.5}},"
	"\"saga\":{\"id\":\"s-1\",\"key\":\"k-1\",\"name\":\"order\","
	"\"started_at\":\"2024-05-01T10:00:00Z\","
	"\"failure\":{\"step\":\"charge\",\"code\":\"declined\",\"message\":\"no money\"}}}";

static const char *const step_names[WORLD_STEPS] = {"reserve", "check-stock", "quote",
						    "charge",  "ship",        "pause"};

static bool find_step(void *context, struct slice name, uint32_t *step,
		      enum availability *availability)
{
	static const enum availability sure[WORLD_STEPS] = {
		AVAILABLE,       AVAILABLE,     AVAILABLE_MAYBE,
		AVAILABLE_MAYBE, AVAILABLE_NOT, AVAILABLE_NO_OUTPUT};

	for (uint32_t i = 0; i < WORLD_STEPS; i++) {
		if (!slice_is(name, step_names[i]))
			continue;
		*step = i;
		*availability = sure[i];
		return true;
	}
	return false;
}

static bool lookup(const struct environment *environment, struct name name, struct json *out)
{
	static const char *const saga_names[][2] = {
		[ROOT_SAGA_ID] = {"id"},
		[ROOT_SAGA_KEY] = {"key"},
		[ROOT_SAGA_NAME] = {"name"},
		[ROOT_SAGA_STARTED_AT] = {"started_at"},
		[ROOT_FAILURE_STEP] = {"failure", "step"},
		[ROOT_FAILURE_CODE] = {"failure", "code"},
		[ROOT_FAILURE_MESSAGE] = {"failure", "message"},
	};
	struct json values = ((const struct expression_world *)environment)->values;
	const char *const *names = saga_names[name.root];

	if (name.root == ROOT_INPUT)
		return json_get(values, SLICE_LITERAL("input"), out);
	if (name.root == ROOT_STEP_OUT)
		return json_get(values, SLICE_LITERAL("steps"), &values) &&
		       json_get(values, slice_of(step_names[name.step]), out);
	if (!json_get(values, SLICE_LITERAL("saga"), &values) ||
	    !json_get(values, slice_of(names[0]), out))
		return false;
	return !names[1] || json_get(*out, slice_of(names[1]), out);
}

bool expression_world_init(struct expression_world *world, struct slice values,
			   struct arena *arena)
{
	*world = (struct expression_world){
		.environment = {lookup},
		.scope = {.input = &world_input,
			  .failure = true,
			  .key = true,
			  .find_step = find_step,
			  .step_names = step_names,
			  .n_step_names = WORLD_STEPS},
	};
	return json_parse(values, 1024 * 1024, arena, &world->values, NULL) == OK &&
	       json_type(world->values) == JSON_OBJECT;
}
