import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * A server that speaks MongoDB's protocol, for tests: mongo-java-server over a file of H2, or in
 * memory. It is not MongoDB: there are no users, replicas or transactions.
 *
 * <p>java StandIn PORT FILE VERSION, or memory for the FILE: the version that it says it is.
 */
public final class StandIn {
  private StandIn() {}

  public static void main(String[] args) {
    int port = Integer.parseInt(args[0]);
    MongoBackend backend = args[1].equals("memory") ? new MemoryBackend() : new Durable(args[1]);

    backend.version(new Version(Integer.parseInt(args[2])));
    new MongoServer(backend).bind("127.0.0.1", port);
    System.out.println("ready");
  }

  /** Its own is 3.6 or 4.0, although it does what a program of today asks for. */
  private static final class Version implements MongoVersion {
    private final int major;

    Version(int major) {
      this.major = major;
    }

    @Override
    public List<Integer> getVersionArray() {
      return List.of(major, 0, 0);
    }

    @Override
    public int getWireVersion() {
      return 13;
    }
  }

  /** What a write command was answered is in the file, and synced, whatever happens next. */
  private static final class Durable extends H2Backend {
    private static final Set<String> WRITES =
        Set.of(
            "insert", "update", "delete", "findandmodify", "create", "drop", "createindexes",
            "dropindexes", "dropdatabase", "renamecollection", "collmod");
    private static final long COMPACT_EVERY_NS = 5_000_000_000L;
    private long compactedNs = System.nanoTime();

    Durable(String file) {
      super(
          new MVStore.Builder().fileName(file).autoCommitDisabled().autoCommitBufferSize(0).open());
      getMvStore().setVersionsToKeep(0);
      getMvStore().setRetentionTime(0);
    }

    @Override
    public Document handleCommand(Channel channel, String db, String command, Document query) {
      if (!WRITES.contains(command.toLowerCase(Locale.ROOT))) {
        return super.handleCommand(channel, db, command, query);
      }
      synchronized (this) {
        try {
          return super.handleCommand(channel, db, command, query);
        } finally {
          getMvStore().commit();
          getMvStore().sync();
          compactNowAndThen();
        }
      }
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String name) {
      return new H2Database(name, getMvStore(), getCursorRegistry()) {
        @Override
        protected MongoCollection<Object> openOrCreateCollection(
            String collection, CollectionOptions options) {
          String fullName = getFullCollectionNamespace(collection);

          return new ById(
              this,
              collection,
              options,
              getMvStore().openMap("databases." + fullName),
              getMvStore().openMap("meta." + fullName),
              getCursorRegistry());
        }
      };
    }

    private void compactNowAndThen() {
      long now = System.nanoTime();

      if (now - compactedNs > COMPACT_EVERY_NS) {
        compactedNs = now;
        getMvStore().compact(50, 4 << 20);
      }
    }
  }

  /**
   * Who gives ids and asks for more besides has the documents of these ids looked at, as MongoDB
   * does it; the library by itself would look at all.
   */
  private static final class ById extends H2Collection {
    ById(
        MongoDatabase database,
        String name,
        CollectionOptions options,
        MVMap<Object, Document> documents,
        MVMap<String, Object> meta,
        CursorRegistry cursors) {
      super(database, name, options, documents, meta, cursors);
    }

    @Override
    protected QueryResult matchDocuments(
        Document query, Document order, int skip, int limit, int batch, Document fields) {
      Collection<?> ids = idsOf(query.get("_id"));

      if (ids == null) {
        return super.matchDocuments(query, order, skip, limit, batch, fields);
      }
      List<Object> there =
          ids.stream().filter(id -> getDocument(id) != null).collect(Collectors.toList());
      return matchDocuments(query, there, order, skip, limit, batch, fields);
    }

    /** Those that are texts; null: it may be any. */
    private static Collection<?> idsOf(Object asked) {
      if (asked instanceof String) {
        return Set.of(asked);
      }
      if (!(asked instanceof Document) || !((Document) asked).keySet().equals(Set.of("$in"))) {
        return null;
      }
      Set<Object> ids = new HashSet<>((Collection<?>) ((Document) asked).get("$in"));
      return ids.stream().allMatch(id -> id instanceof String) ? ids : null;
    }
  }
}
