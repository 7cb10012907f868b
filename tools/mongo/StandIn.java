import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
import java.util.Locale;
import java.util.Set;
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

    private void compactNowAndThen() {
      long now = System.nanoTime();

      if (now - compactedNs > COMPACT_EVERY_NS) {
        compactedNs = now;
        getMvStore().compact(50, 4 << 20);
      }
    }
  }
}
