import time, resource, djflow as dj, numpy as np, polars as pl
def test_x(schema, tmp_path):
    @schema
    class T(dj.Manual):
        definition = """
        k : int32
        ---
        x : float64
        t : varchar(40)
        """
    n=1_000_000
    T().insert(pl.DataFrame({"k":np.arange(n,dtype="i4"),"x":np.random.rand(n),"t":[f"text {i}" for i in range(n)]}))
    r=lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024
    print("before",r())
    t=time.time(); schema.dump(tmp_path/"a"); print("dump",time.time()-t,r())
    from djflow.tables.archive import verify_archive
    t=time.time(); verify_archive(tmp_path/"a"); print("verify",time.time()-t,r())
    schema.drop(prompt=False)
    t=time.time(); schema.restore(tmp_path/"a"); print("restore",time.time()-t,r())
    t=time.time(); schema.restore(tmp_path/"a",on_conflict="match"); print("match",time.time()-t,r())
    t=time.time(); schema["T"].delete(prompt=False, archive=tmp_path/"b"); print("delete",time.time()-t,r())
    t=time.time(); dj.restore(tmp_path/"b",connection=schema.connection); print("undo",time.time()-t,r())
