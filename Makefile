# Skald - `make help` lists the targets, `make V=1` shows every command.
#
# One file builds everything: a line per library, a rule per kind of program.
# Folders that are empty are fine.

VERSION := 0.1.0

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
SAGADIR    ?= $(PREFIX)/share/skald/sagas
INSTALL    ?= install
PKG_CONFIG ?= pkg-config

# SANITIZE=address,undefined (or thread) builds that flavour in a folder of its
# own, so that switching never mixes objects. B=... builds somewhere else.
SANITIZE ?=
comma := ,
B := build/$(or $(subst $(comma),-,$(SANITIZE)),release)

# CFLAGS, CPPFLAGS and LDFLAGS belong to whoever builds; what the code needs is
# added around them.
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wpointer-arith -Wundef \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wwrite-strings -Wno-unused-parameter
sanitizers = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)
mongo_cppflags := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags-only-I libmongoc-1.0))
all_cppflags = -D_POSIX_C_SOURCE=200809L -DSKALD_VERSION='"$(VERSION)"' -I. -Iinclude $(mongo_cppflags) $(CPPFLAGS)
all_cflags = -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) $(sanitizers)
all_ldflags = $(LDFLAGS) $(sanitizers)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(patsubst $(B)/%,%,$@);)

# A finding of a sanitizer must not look like a failure that the test expected:
# an ordinary failure is exit 1, a finding 99.
export ASAN_OPTIONS ?= exitcode=99:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1:exitcode=99
export TSAN_OPTIONS ?= exitcode=99

# Sanitizers make everything slower, so Check's time limits are longer there.
ifneq ($(SANITIZE),)
export CK_TIMEOUT_MULTIPLIER ?= 5
endif

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

# --- libraries: name, folder, pkg-config packages -----------------------------

# main.c of a folder is a program's own, and what only unit tests can be linked
# with stays out of libtesting.a, so that `make` alone needs no test framework;
# everything else is the library.
unit_only := $(addprefix tests/lib/,suite.c sites.c asked.c rehearsal.c fail_malloc.c process.c background.c folder.c barriers.c stall.c typed.c kafka_broker.c bus_ends.c local_ends.c command_row.c trio.c yard.c hub_talk.c shelf_file.c)
define library
LIBRARIES += $(1)
$(1)_objects := $$(patsubst %.c,$(B)/%.o,$$(filter-out %/main.c $(unit_only),$$(wildcard $(2)/*.c)))
packages += $(3)
OBJECTS += $$($(1)_objects)
$(B)/lib$(1).a: $$($(1)_objects)
endef

# From the top layer down, which is also the order for the linker. The library
# of orchestrator/check is called explore: libcheck is the one for unit tests.
$(eval $(call library,sim,tests/sim,))
$(eval $(call library,testing,tests/lib,))
$(eval $(call library,cli,cli,libcurl))
$(eval $(call library,simulate,orchestrator/simulate,))
$(eval $(call library,server,orchestrator/server,))
$(eval $(call library,gateway,orchestrator/gateway,libmicrohttpd libcurl))
$(eval $(call library,reconcile,orchestrator/reconcile,))
$(eval $(call library,participant-sqlite,participants/sqlite,sqlite3))
$(eval $(call library,participant-mongo,participants/mongo,))
$(eval $(call library,participant-kafka,participants/kafka,))
$(eval $(call library,participant,participants/lib,))
$(eval $(call library,explore,orchestrator/check,))
$(eval $(call library,engine,orchestrator/engine,))
$(eval $(call library,explain,orchestrator/explain,))
$(eval $(call library,store-mongo,orchestrator/store/mongo,libmongoc-1.0))
$(eval $(call library,store,orchestrator/store,sqlite3))
$(eval $(call library,load,orchestrator/load,yaml-0.1))
$(eval $(call library,core,orchestrator/core,))
$(eval $(call library,bus-kafka,bus/kafka,rdkafka))
$(eval $(call library,bus,bus,))
$(eval $(call library,proto,proto,libprotobuf-c))
$(eval $(call library,base,base,))

archives = $(patsubst %,$(B)/lib%.a,$(1))

# The wire format in C; proto/wire.c alone may include it. There a text is its
# bytes, which look the same on the wire: so none has to be terminated or copied.
GENERATED := $(B)/gen/skald.pb-c
PROTOC_C  ?= protoc-c
$(GENERATED).c: proto/skald.proto
	@mkdir -p $(@D)
	@sed -E 's/^( +(repeated )?)string /\1bytes /' $< >$(@D)/skald.proto
	$(call say,GEN)$(PROTOC_C) --proto_path=$(@D) --c_out=$(@D) skald.proto
$(GENERATED).h: $(GENERATED).c ;
$(GENERATED).o: $(GENERATED).c $(B)/flags
	$(call say,CC)$(CC) $(all_cppflags) $(all_cflags) -w -MMD -MP -c -o $@ $<
$(GENERATED).o $(B)/proto/wire.o: private all_cppflags += -isystem $(B)/gen
$(B)/proto/wire.o: $(GENERATED).h
$(B)/libproto.a: $(GENERATED).o
OBJECTS += $(GENERATED).o

# The description of the HTTP side is part of the program.
OPENAPI := $(B)/gen/openapi
$(OPENAPI).c: docs/openapi.json
	@mkdir -p $(@D)
	$(call say,GEN){ printf '#include "orchestrator/gateway/openapi.h"\nconst char openapi_json[] =\n'; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; \
		printf ';\nconst size_t openapi_json_size = sizeof openapi_json - 1;\n'; } >$@
$(OPENAPI).o: $(OPENAPI).c
	$(call say,CC)$(CC) $(all_cppflags) $(all_cflags) -MMD -MP -c -o $@ $<
$(B)/libgateway.a: $(OPENAPI).o
OBJECTS += $(OPENAPI).o

# So is the saga that `skald bench` runs, comments and all.
ORDER_BENCH := $(B)/gen/order_bench
$(ORDER_BENCH).c: sagas/order-bench.yaml
	@mkdir -p $(@D)
	$(call say,GEN){ printf '#include "cli/bench_order.h"\nconst char bench_saga[] =\n'; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; printf ';\n'; } >$@
$(ORDER_BENCH).o: $(ORDER_BENCH).c
	$(call say,CC)$(CC) $(all_cppflags) $(all_cflags) -MMD -MP -c -o $@ $<
$(B)/libcli.a: $(ORDER_BENCH).o
OBJECTS += $(ORDER_BENCH).o

# --- the libraries for services -------------------------------------------------

# Shared and static. Only what carries SKALD_API leaves either: the objects of a
# static one are made into one first, in which all else is local.
SOVERSION := 0
OBJCOPY   ?= objcopy

# name, objects, archives from which it takes what it needs
define public
PUBLIC += $(1)
$(B)/$(1).whole.o: $(2) $(3)
	$$(call say,LD)$$(LD) -r -o $$@ $$^ && $$(OBJCOPY) --localize-hidden $$@
$(B)/lib$(1).a: $(B)/$(1).whole.o
	$$(call say,AR)rm -f $$@ && $$(AR) rcs $$@ $$<
$(B)/lib$(1).so.$(SOVERSION): $(2) $(3)
	$$(call say,LD)$$(CC) $$(all_ldflags) -shared -Wl,-soname,$$(@F) -o $$@ $$^ $$(libs) $$(LDLIBS)
	@ln -sfn $$(@F) $(B)/lib$(1).so
endef
$(eval $(call public,skald,$(participant_objects),$(call archives,bus proto base)))
$(eval $(call public,skald-sqlite,$(participant-sqlite_objects),))
$(eval $(call public,skald-mongo,$(participant-mongo_objects),))
$(eval $(call public,skald-kafka,$(participant-kafka_objects),$(call archives,bus-kafka bus proto base)))
$(B)/libskald.so.$(SOVERSION): private libs = $(shell $(PKG_CONFIG) --libs libprotobuf-c) -lpthread
$(B)/libskald-sqlite.so.$(SOVERSION): private libs = -L$(B) -lskald $(shell $(PKG_CONFIG) --libs sqlite3)
$(B)/libskald-sqlite.so.$(SOVERSION): | $(B)/libskald.so.$(SOVERSION)
$(B)/libskald-mongo.so.$(SOVERSION): private libs = -L$(B) -lskald $(shell $(PKG_CONFIG) --libs libmongoc-1.0)
$(B)/libskald-mongo.so.$(SOVERSION): | $(B)/libskald.so.$(SOVERSION)
$(B)/libskald-kafka.so.$(SOVERSION): private libs = $(shell $(PKG_CONFIG) --libs rdkafka libprotobuf-c) -lpthread
public_libraries = $(foreach l,$(PUBLIC),$(B)/lib$(l).a $(B)/lib$(l).so.$(SOVERSION))

# --- programs -----------------------------------------------------------------

PROGRAMS := $(patsubst %,$(B)/skald,$(wildcard cli/main.c))
$(B)/skald: $(B)/cli/main.o $(call archives,$(filter-out testing,$(LIBRARIES)))

# The example services see what somebody sees who has installed the libraries: the
# headers in include/, what SKALD_API exports, and each other's common part.
SERVICES := $(patsubst participants/%/main.c,%,$(wildcard participants/*/main.c))
alone := $(B)/alone/participants
service_objects := $(patsubst %.c,$(B)/%.o,$(wildcard participants/service/*.c $(SERVICES:%=participants/%/*.c)))
OBJECTS += $(service_objects)
$(service_objects) $(B)/docs/stock.o: private all_cppflags := $(filter-out -I.,$(all_cppflags)) -I$(B)/alone
$(service_objects): | $(alone)/service
$(alone)/service:
	@mkdir -p $(@D); for f in $(SERVICES) service; do ln -sfn $(CURDIR)/participants/$$f $(@D)/$$f; done
define service
PROGRAMS += $(B)/skald-$(1)
$(B)/skald-$(1): $(filter $(B)/participants/$(1)/% $(B)/participants/service/%,$(service_objects)) \
	$(B)/libskald-sqlite.a $(B)/libskald-kafka.a $(B)/libskald-mongo.a $(B)/libskald.a
endef
$(foreach s,$(SERVICES),$(eval $(call service,$(s))))

# The service that docs/participants.md begins with, as it is printed there.
EXAMPLE := $(B)/docs/stock
$(EXAMPLE): $(B)/docs/stock.o $(B)/libskald-sqlite.a $(B)/libskald.a
$(B)/docs/stock.o: $(B)/docs/stock.c $(B)/flags
	$(call say,CC)$(CC) $(all_cppflags) $(all_cflags) -MMD -MP -c -o $@ $<
$(B)/docs/stock.c: docs/participants.md
	@mkdir -p $(@D)
	@awk '/^```c$$/ && !seen { on = seen = 1; next } /^```$$/ { on = 0 } on' $< >$@

BENCHES := $(patsubst %.c,$(B)/%,$(wildcard bench/bench_*.c))
$(BENCHES): %: %.o $(call archives,$(LIBRARIES))

# What Skald is measured against: base for its options, SQLite, nothing else.
FLOOR := $(B)/bench/floor
floor_objects := $(patsubst %.c,$(B)/%.o,$(filter-out bench/floor_kafka%,$(wildcard bench/floor*.c)))
$(FLOOR): $(floor_objects) $(call archives,base)
$(FLOOR): private libs = $(shell $(PKG_CONFIG) --libs sqlite3)

# The same over Kafka, without SQLite.
FLOOR_KAFKA := $(B)/bench/floor_kafka
floor_kafka_objects := $(patsubst %.c,$(B)/%.o,$(wildcard bench/floor_kafka*.c) bench/floor_frame.c bench/floor_program.c)
$(FLOOR_KAFKA): $(floor_kafka_objects) $(call archives,bus-kafka bus proto base)
$(FLOOR_KAFKA): private libs = $(shell $(PKG_CONFIG) --libs rdkafka libprotobuf-c)

# A unit test is one file and one program. Its allocations go through
# tests/lib/fail_malloc.c, which can let the nth one fail.
TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
$(TESTS): %: %.o $(patsubst %.c,$(B)/%.o,$(unit_only)) $(call archives,$(LIBRARIES))
$(TESTS): private all_ldflags += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup)
# These run the programs themselves.
$(patsubst %,$(B)/tests/unit/test_%,cli cli_explain cli_remote cli_simulate fmt operations serve serve_limits): | $(B)/skald
$(B)/tests/unit/test_floor: | $(FLOOR)
$(B)/tests/unit/test_stock_example: | $(EXAMPLE)
$(B)/tests/unit/test_services: | $(SERVICES:%=$(B)/skald-%)
$(B)/tests/unit/test_bench: | $(B)/skald $(SERVICES:%=$(B)/skald-%)

# A test of the whole, as processes: a program a file test_*.c, and what they share.
E2E := $(patsubst %.c,$(B)/%,$(wildcard tests/e2e/test_*.c))
e2e_shared := $(patsubst %.c,$(B)/%.o,$(filter-out tests/e2e/test_%,$(wildcard tests/e2e/*.c)))
$(E2E): %: %.o $(e2e_shared) $(patsubst %.c,$(B)/%.o,$(unit_only)) $(call archives,$(LIBRARIES)) | $(PROGRAMS) $(B)/skald-shifted
$(B)/tests/e2e/test_kafka_bench: | $(FLOOR_KAFKA)
$(E2E): private all_ldflags += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup)

# A fuzz target and the driver that replays its corpus and mutants of it; libFuzzer,
# where clang has it, takes the driver's place (see the target fuzz).
FUZZERS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_DRIVER ?= $(patsubst %,$(B)/tests/fuzz/%.o,replay mutant budget)
$(B)/tests/fuzz/fuzz_faults: $(patsubst %,$(B)/participants/service/%.o,faults settings)
$(FUZZERS): %: %.o $(FUZZ_DRIVER) $(call archives,$(LIBRARIES))
$(FUZZERS): private all_ldflags += $(if $(FUZZ_DRIVER),$(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup free))

# The simulator; see docs/simulation.md.
SIM := $(B)/skald-sim
$(SIM): $(B)/tests/sim/main.o $(call archives,$(LIBRARIES))
# Its MongoDB, which takes the library's place where it is linked.
sim_mongo_objects := $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/mongo/*.c))
$(SIM) $(patsubst %,$(B)/tests/unit/test_%,sim store_torn): $(sim_mongo_objects)
OBJECTS += $(sim_mongo_objects)

# The server with a clock that may be wrong, for tests of several.
SHIFTED := $(B)/skald-shifted
$(SHIFTED): $(B)/cli/main.o $(B)/tests/lib/clock_shift.o $(call archives,$(filter-out testing,$(LIBRARIES)))
$(SHIFTED): private all_ldflags += -Wl$(comma)--wrap=clock_gettime

# What the loader says of a definition, for tests/editor/compare.py.
JUDGE := $(B)/tests/editor/judge
$(JUDGE): %: %.o $(call archives,load core base)

LINKED := $(PROGRAMS) $(EXAMPLE) $(BENCHES) $(FLOOR) $(FLOOR_KAFKA) $(TESTS) $(E2E) $(FUZZERS) $(JUDGE) $(SIM) $(SHIFTED)
OBJECTS += $(floor_objects) $(floor_kafka_objects) $(patsubst %.c,$(B)/%.o,$(unit_only) $(wildcard cli/main.c bench/bench_*.c \
	tests/editor/*.c tests/e2e/*.c tests/sim/main.c tests/unit/test_*.c tests/fuzz/*.c))

# Where there is a static libyaml the tests take it: its allocations then fail
# in turn, too, instead of ours alone.
libs = $(if $(packages),$(shell $(PKG_CONFIG) --libs $(packages)))
$(TESTS) $(E2E): private libs = $(or $(wildcard $(shell $(PKG_CONFIG) --variable=libdir yaml-0.1)/libyaml.a),-lyaml) \
	$(shell $(PKG_CONFIG) --libs $(filter-out yaml-0.1,$(packages)) check)

# --- rules --------------------------------------------------------------------

.PHONY: all programs
all: programs ## Build everything (the default)

# build/skald is the release flavour, for people and scripts.
programs: $(PROGRAMS) $(public_libraries)
ifeq ($(B),build/release)
	$(Q)$(foreach p,$(notdir $(PROGRAMS)),ln -sfn release/$(p) build/$(p);)
endif

# A change of compiler or flags rebuilds everything, a change of the list of
# files the archives; -MMD does the headers, and -MP survives a deleted one.
remember = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(B)/flags: FORCE
	$(call remember,$(CC) $(all_cppflags) $(all_cflags))
$(B)/files: FORCE
	$(call remember,$(OBJECTS))

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(all_cppflags) $(all_cflags) -MMD -MP -c -o $@ $<

$(call archives,$(LIBRARIES)): $(B)/files
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

define link
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(all_ldflags) -Wl,--as-needed -o $@ $(filter %.o %.a,$^) $(libs) $(LDLIBS)
endef
$(LINKED):
	$(link)

.PHONY: FORCE
FORCE:

-include $(OBJECTS:.o=.d) $(EXAMPLE).d

# --- tests --------------------------------------------------------------------

# tools/tally runs one test program, prints one line about it and adds what it
# counted to the file TALLY. Whoever made that file prints the sum at the end:
# `make test` its own, `make check` one over all.
TALLY ?= $(B)/tally
export TALLY
begin_tally := $(if $(filter file,$(origin TALLY)),rm -f $(TALLY),:)
end_tally := $(if $(filter file,$(origin TALLY)),tools/tally --sum,:)
# Of those that tests may have started.
engines_down := for engine in kafka kafka-tls mongo mongo-memory; do tools/engines $$engine down; done; for engine in kafka mongo; do tools/engines $$engine down build/engines/$$engine-own; done;
tally = tools/tally $(if $(T),-v) '$(if $(SANITIZE),$(SANITIZE) )$(1)' $(2);

# corpus/yaml holds what was once found through fuzz_yaml.c.
corpus = tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(1)))
MUTANTS ?= 1000
replay = $(call tally,$(1:$(B)/tests/%=%),$(1) --mutants $(MUTANTS) $(call corpus,$(1)))

# Beside the release flavour, also where B was given.
beside = $(patsubst %/release,%,$(B))

.PHONY: test threads e2e torture storm faults fuzz-replay installed sim sanitize
# T=editor is the schema for editors, any other T a unit test.
test_chosen := $(if $(T),$(if $(filter editor,$(T)),$(JUDGE),$(B)/tests/unit/test_$(T)),$(TESTS) $(JUDGE) $(FUZZERS))
e2e_chosen := $(if $(T),$(B)/tests/e2e/test_$(T),$(E2E))

# Each program is run by a target of its own, once all are built: with -j several unit tests
# at a time, as many of them wait. Those of the whole fill the machine by themselves.
run = $(patsubst $(B)/tests/%,run/%,$(1))
.PHONY: begin-test begin-e2e $(call run,$(TESTS) $(E2E) $(FUZZERS) $(JUDGE))
begin-test: | $(test_chosen)
begin-e2e: | $(e2e_chosen)
begin-test begin-e2e:
	@$(begin_tally)
$(call run,$(TESTS) $(FUZZERS) $(JUDGE)): | begin-test
$(call run,$(E2E)): | begin-e2e
$(foreach t,$(call run,$(e2e_chosen)),$(eval $(t): | $(before))$(eval before := $(t)))
$(call run,$(TESTS) $(E2E)): run/%:
	@$(call tally,$*,$(B)/tests/$*) :
$(call run,$(JUDGE)):
	@$(call tally,editor,tests/editor/run.sh $(JUDGE)) :
$(call run,$(FUZZERS)): run/%:
	@$(call replay,$(B)/tests/$*) :

test: $(call run,$(test_chosen)) ## Run the tests (T=json: that one, and show its output)
	@$(engines_down) $(end_tally)

# They share the tally and the engines: of several that are asked for in one go each waits
# for the one before it.
before :=
$(foreach t,$(filter test e2e threads faults fuzz-replay installed sim,$(MAKECMDGOALS)),\
	$(eval $(if $(filter test e2e,$(t)),begin-$(t),$(t)): | $(before))$(eval before := $(t)))

# Tests in which threads meet.
THREADED := $(patsubst %,$(B)/tests/unit/test_%,later participant_local store_sqlite)
threads: $(THREADED) ## Run the tests in which threads meet (best with SANITIZE=thread)
	@$(begin_tally); \
	$(foreach t,$^,$(call tally,$(t:$(B)/tests/%=%),$(t))) \
	$(end_tally)

# Smaller where everything is slower.
export TORTURE_ORDERS ?= $(if $(SANITIZE),200,1000)
export KAFKA_HELD_MS  ?= $(if $(SANITIZE),8000,30000)
e2e: $(call run,$(e2e_chosen)) ## Run server and services as processes, with kill -9 (T=torture: that one)
	@$(engines_down) $(end_tally)

torture: ## Kill and hold server and services while 5,000 orders are under way
	@$(MAKE) --no-print-directory T=torture TORTURE_ORDERS=5000 e2e

storm: ## Hold Kafka and MongoDB for 30 s under three orchestrators, and let these come and go for 2 minutes
	@$(MAKE) --no-print-directory T=cluster_outage STORM_SECONDS=120 OUTAGE_HELD_MS=30000 e2e

# In a flavour of its own, in which programs have such places (base/fault_point.h).
FAULTS_AT ?= 1,3
faults: export FAULTS_AT := $(FAULTS_AT)
faults: ## Let server and services die at every place where a crash is interesting (FAULTS_ALONE=1: also for every form of saga by itself)
	+@$(MAKE) --no-print-directory B=$(beside)/faults CPPFLAGS='$(CPPFLAGS) -DSKALD_FAULT_POINTS' T=faults e2e

fuzz-replay: $(FUZZERS) ## Run the corpus and MUTANTS=1000 changes of it through every fuzz target
	@$(begin_tally); $(foreach t,$^,$(call replay,$(t))) $(end_tally)

installed: all ## Check what `make install` leaves, with a service built on it
	@$(begin_tally); \
	$(call tally,installed,tests/install/run.sh $(MAKE) --no-print-directory B=$(B)) \
	$(end_tally)

# SEED=N is for people: that one, with all that happens in it.
SEEDS ?= 2000
FROM  ?= 1
# It says in which seed it died, of a finding of a sanitizer, too.
sim: export ASAN_OPTIONS := $(ASAN_OPTIONS):abort_on_error=1
sim: export UBSAN_OPTIONS := $(UBSAN_OPTIONS):abort_on_error=1
sim: $(SIM) ## Simulate engine, hub and participants (SEEDS=2000 FROM=1, or SEED=N: that one, and show it)
ifdef SEED
	@$< --seed $(SEED)
else
	@$(begin_tally); \
	tools/tally -v '$(if $(SANITIZE),$(SANITIZE) )sim' $< --from $(FROM) --seeds $(SEEDS); \
	$(end_tally)
endif

sanitize: ## Run the tests under AddressSanitizer and UndefinedBehaviorSanitizer, and ThreadSanitizer
	@$(begin_tally); mkdir -p $(B)
	+@if echo 'int main(void) { return 0; }' | \
		$(CC) -fsanitize=address,undefined -xc -o $(B)/probe - 2>/dev/null; then \
		for t in test e2e sim; do \
			$(MAKE) --no-print-directory SANITIZE=address,undefined SEEDS=60 \
				B=$(beside)/address-undefined $$t || tools/tally "sanitized $$t" false; \
		done; \
		$(MAKE) --no-print-directory SANITIZE=thread B=$(beside)/thread threads || \
			tools/tally 'sanitized threads' false; \
	else \
		tools/tally sanitize echo '0 passed, 0 failed, 1 skipped: $(CC) has no sanitizers'; \
	fi; \
	$(end_tally)

.PHONY: fuzz fuzzers coverage mutate bench bench-kafka bench-limits bench-many bench-stall bench-core bench-bus bench-store bench-engine bench-barrier bench-takeover bench-mongo bench-floor
fuzzers: $(FUZZERS)
CLANG ?= $(firstword $(foreach c,clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14,$(shell command -v $(c))))
FUZZ_SECONDS ?= 30
fuzz: ## Look for new input that breaks a fuzz target (FUZZ_SECONDS=30 for each, T=hub: that one; needs clang)
	@mkdir -p $(beside)/fuzz; echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		'$(or $(CLANG),no-clang)' -fsanitize=fuzzer -xc -o $(beside)/fuzz/probe - 2>/dev/null || { \
		echo 'make fuzz needs clang and its libFuzzer, which ./run fuzz installs;' >&2; \
		echo 'make fuzz-replay MUTANTS=100000 does without' >&2; exit 1; }
	+@$(MAKE) --no-print-directory CC=$(CLANG) SANITIZE=address,undefined B=$(beside)/fuzz FUZZ_DRIVER= \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' LDFLAGS=-fsanitize=fuzzer fuzzers
	@set -e; for t in $(if $(T),fuzz_$(T),$(notdir $(FUZZERS))); do \
		corpus=tests/fuzz/corpus/$${t#fuzz_}; found=$(beside)/fuzz/found/$${t#fuzz_}; \
		mkdir -p $$corpus $$found; echo "$$t for $(FUZZ_SECONDS) s; what is new goes to $$found"; \
		$(beside)/fuzz/tests/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 \
			-malloc_limit_mb=96 -verbosity=0 -print_final_stats=1 -artifact_prefix=$$found/ $$found $$corpus; \
	done

# An assert is a branch that is never taken, so that there are none here.
coverage: ## Which lines and branches of core, engine and participants/lib the tests run
	+@rm -rf $(beside)/coverage
	+@$(MAKE) --no-print-directory B=$(beside)/coverage LDFLAGS=--coverage \
		CFLAGS='-O0 -g -w --coverage -fprofile-update=atomic -DNDEBUG' SEEDS=200 test e2e sim
	@tools/coverage $(beside)/coverage

mutate: ## Break core and barrier on purpose, and see the tests notice
	tools/mutate

.PHONY: benches
benches: $(BENCHES) $(FLOOR) $(FLOOR_KAFKA) ## Build all that measures

bench-core: $(B)/bench/bench_core ## Measure saga_step
	$<

bench-bus: $(B)/bench/bench_bus ## Measure the local bus: commands there, replies back
	$<
	$< 500000 1000 2
	$< 50000 1

bench-store: $(B)/bench/bench_store ## Measure the SQLite store
	$<

bench-engine: $(B)/bench/bench_engine ## Measure the engine without disk and sockets
	$<

bench-barrier: $(B)/bench/bench_barrier $(PROGRAMS) ## Measure the example services
	$<

bench: $(PROGRAMS) $(FLOOR) ## Measure Skald's share of what the machine can do
	bench/share.sh $(B)

bench-kafka: $(PROGRAMS) $(FLOOR_KAFKA) ## The same over Kafka, with a broker that it starts (KAFKA=HOST:PORT: that one)
	bench/share.sh $(B) kafka$(KAFKA:%=:%)

bench-takeover: $(B)/bench/bench_takeover ## Take over 100,000 sagas of a MongoDB that it starts (MONGO=mongodb://HOST:PORT: that one)
	bench/mongo.sh $(B) takeover $(MONGO)

bench-mongo: $(PROGRAMS) $(B)/bench/bench_mongo $(B)/bench/floor_kafka ## Measure Skald's share of the writes of a MongoDB (MONGO= as above)
	bench/mongo.sh $(B) share $(MONGO)

bench-limits: $(PROGRAMS) ## Hold a server to its limits of memory, disk and time to start
	bench/limits.py $(B)

bench-many: $(PROGRAMS) $(B)/bench/bench_many ## Look at a store of 1,000,000 sagas
	bench/many.py $(B)

STALL ?= 20
bench-stall: $(PROGRAMS) ## Hold one service, and see what others lose (STALL=60: so many seconds)
	bench/stall.py $(B) --stall $(STALL)

bench-floor: $(FLOOR) ## Measure what the machine can do: sagas without any feature
	$<
	$< --decline 10%
	$< --inflight 200
	$< --inflight 1 --sagas 5000

# --- checks -------------------------------------------------------------------

SOURCES := $(wildcard $(foreach d,base proto bus bus/* include include/* orchestrator/* orchestrator/store/* participants/* cli tests/* bench,$(d)/*.[ch]))
HEADERS := $(filter %.h,$(SOURCES))

.PHONY: layers pure headers format banned check
layers: ## Check that includes point one way (tools/layers)
	@tools/check-layers $(SOURCES)

pure: $(B)/libcore.a $(B)/libbase.a ## Check that the core does no I/O: list what it calls
	@tools/check-pure $(B)

headers: ## Check that every header compiles on its own, those that are installed also as C++
	@for h in $(HEADERS); do \
		echo "#include \"$$h\"" | $(CC) $(all_cppflags) $(all_cflags) -Werror -fsyntax-only -xc - || \
			bad=1; \
	done; \
	for h in $(wildcard include/*/*.h); do \
		echo "#include \"$$h\"" | $(CXX) $(CPPFLAGS) -I. -Iinclude -Wall -Wextra -Werror -fsyntax-only -xc++ - || bad=1; \
	done; [ -z "$$bad" ]

format: ## Check the formatting (clang-format -i mends it)
	@tools/check-format $(SOURCES)

banned: ## Check that no unsafe function is called
	@tools/check-banned $(SOURCES)

# Goes on after a failure, so that one run shows everything that is wrong.
check: ## Everything that a change must pass
	@$(begin_tally)
	+@for t in layers pure headers format banned; do \
		tools/tally $$t $(MAKE) --no-print-directory WERROR=1 $$t; \
	done; \
	for t in all benches test e2e faults installed sim sanitize; do \
		$(MAKE) --no-print-directory WERROR=1 $$t || tools/tally "make $$t" false; \
	done; \
	$(end_tally)

# --- install ------------------------------------------------------------------

.PHONY: install clean help
install: all ## Install under PREFIX (DESTDIR stages it elsewhere)
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/skald
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 include/skald/*.h $(DESTDIR)$(INCLUDEDIR)/skald
	$(INSTALL) -m 644 $(PUBLIC:%=$(B)/lib%.a) $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 755 $(PUBLIC:%=$(B)/lib%.so.$(SOVERSION)) $(DESTDIR)$(LIBDIR)
	$(foreach l,$(PUBLIC),ln -sfn lib$(l).so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/lib$(l).so && )true
	@for pc in participants/*/*.pc.in; do name=$${pc##*/}; \
		sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
			-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' $$pc \
			>$(DESTDIR)$(LIBDIR)/pkgconfig/$${name%.in} || exit; \
	done
	$(INSTALL) -d $(DESTDIR)$(SAGADIR)/schemas $(DESTDIR)$(SAGADIR)/plans
	$(INSTALL) -m 644 sagas/*.yaml sagas/*.json sagas/README.md $(DESTDIR)$(SAGADIR)
	$(INSTALL) -m 644 sagas/schemas/*.json $(DESTDIR)$(SAGADIR)/schemas
	$(INSTALL) -m 644 sagas/plans/*.yaml $(DESTDIR)$(SAGADIR)/plans
	@for page in $(wildcard docs/man/*.[1-8]); do set -x; \
		$(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit; \
	done

clean: ## Remove everything that was built
	rm -rf build

help: ## Show this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
